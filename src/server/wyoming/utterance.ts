/** What one client says between `audio-start` and `audio-stop`: its place, its model, and the live stream that hears it. */

import type { Clock } from '../../clock.js';
import { asEarshotError, type EarshotError } from '../../errors.js';
import { type LiveCommand, type LiveEvent, type LiveStream, secondsOfBytes } from '../../live/live.js';
import type { Metrics } from '../../metrics.js';
import type { Lease, ModelPool } from '../../pool/model-pool.js';
import type { LivePlace } from '../live/admission/admission.js';
import { fitSession } from '../live/session/live-options.js';
import { type TranscribeRequest, transcriptionOf } from './requests.js';

/** Audio that the model has not taken in, at which no more is read, and read again. */
const pauseAboveMs = 5_000;
const resumeBelowMs = 2_000;

export interface UtteranceOptions {
	readonly pool: ModelPool;
	readonly place: LivePlace;
	readonly request: TranscribeRequest;
	/** Hz; 16 bits, mono. */
	readonly rate: number;
	readonly partials: boolean;
	readonly metrics: Metrics;
	readonly clock: Clock;
	readonly listener: UtteranceListener;
}

export interface UtteranceListener {
	/** More text. All of them joined are the transcript. */
	readonly heard: (text: string) => void;
	/** The last call, as is `failed`. */
	readonly transcribed: (text: string, language: string | null) => void;
	readonly failed: (error: EarshotError) => void;
	/** `isBehind` may have changed. */
	readonly progressed: () => void;
}

export class Utterance {
	readonly #options: UtteranceOptions;
	readonly #leaving = new AbortController();
	#lease: Lease | undefined;
	#stream: LiveStream | undefined;
	/** Commands that came before the stream was open. */
	#waiting: LiveCommand[] = [];
	#bytes = 0;
	/** Of the audio, what streams before this one have heard. */
	#movedMs = 0;
	#heardMs = 0;
	#text = '';
	#language: string | null = null;
	#isPaused = false;
	#stoppedMs: number | undefined;
	#isOver = false;

	constructor(options: UtteranceOptions) {
		this.#options = options;
		void this.#open();
	}

	get model(): string {
		return this.#options.place.model;
	}

	/** Of the audio that came. */
	get seconds(): number {
		return secondsOfBytes(this.#bytes, { encoding: 'pcm16', rate: this.#options.rate });
	}

	get hasStopped(): boolean {
		return this.#stoppedMs !== undefined;
	}

	/** Whether the client is to wait before it sends more. */
	get isBehind(): boolean {
		if (this.#stream === undefined) return true;
		const behindMs = this.seconds * 1000 - this.#heardMs;
		return behindMs > (this.#isPaused ? resumeBelowMs : pauseAboveMs);
	}

	/** Whether the client waits now. */
	set isPaused(isPaused: boolean) {
		if (isPaused && !this.#isPaused) this.#options.metrics.livePaused(this.model);
		this.#isPaused = isPaused;
	}

	push(bytes: Uint8Array): void {
		const before = this.seconds;
		this.#bytes += bytes.length;
		this.#options.metrics.liveAudio(this.model, this.seconds - before);
		this.#send({ type: 'audio', bytes });
	}

	/** No more audio comes. */
	stop(): void {
		this.#stoppedMs = this.#options.clock.now();
		this.#send({ type: 'end' });
	}

	/** Cancels what runs. Safe to call twice. */
	close(): void {
		if (this.#isOver) return;
		this.#isOver = true;
		this.#leaving.abort();
		this.#stream?.close();
		this.#lease?.release();
		this.#options.place.leave();
	}

	#send(command: LiveCommand): void {
		if (this.#stream) this.#stream.send(command);
		else this.#waiting.push(command);
	}

	/** Never rejects. */
	async #open(): Promise<void> {
		const { pool, request, rate, partials } = this.#options;
		try {
			const lease = await pool.lease(this.model, this.#leaving.signal);
			if (this.#isOver) return lease.release();
			this.#lease?.release();
			this.#lease = lease;
			const { options } = fitSession(
				{
					format: { type: 'audio/pcm', rate },
					transcription: transcriptionOf(request, lease.info.capabilities),
					turnDetection: null,
					logprobs: false,
					partials,
				},
				lease.info,
			);
			this.#stream = lease.listen(options, (event) => this.#take(event));
			for (const command of this.#waiting.splice(0)) this.#stream.send(command);
			this.#options.listener.progressed();
		} catch (thrown) {
			this.#fail(asEarshotError(thrown));
		}
	}

	#take(event: LiveEvent): void {
		if (this.#isOver) return;
		const { listener, place } = this.#options;
		switch (event.type) {
			case 'heard':
				place.heard(this.#movedMs + event.atMs - this.#heardMs, event.busyMs ?? 0);
				this.#heardMs = this.#movedMs + event.atMs;
				listener.progressed();
				break;
			case 'delta':
				this.#tell(event.text);
				break;
			case 'completed':
				this.#language ??= event.language;
				break;
			case 'ended':
				this.#end('completed');
				listener.transcribed(this.#text, this.#language);
				break;
			case 'failed':
			case 'refused':
			case 'lost':
				this.#fail(event.error);
				break;
			case 'moved':
				this.#movedMs = this.#heardMs;
				this.#stream = undefined;
				void this.#open();
				break;
			// Of turns, nothing is told: the audio is one.
			case 'started':
			case 'stopped':
			case 'committed':
			case 'empty':
			case 'cleared':
				break;
		}
	}

	#tell(text: string): void {
		this.#text += text;
		this.#options.listener.heard(text);
	}

	#fail(error: EarshotError): void {
		if (this.#isOver) return;
		this.#end('failed');
		this.#options.listener.failed(error);
	}

	#end(result: 'completed' | 'failed'): void {
		const { metrics, clock } = this.#options;
		const now = clock.now();
		metrics.liveTurn(this.model, result, (now - (this.#stoppedMs ?? now)) / 1000);
		this.close();
	}
}
