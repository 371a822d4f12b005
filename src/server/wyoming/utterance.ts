/** One utterance of a client, from `audio-start` to `audio-stop`: its admission, its model, and its live stream. */

import type { Clock } from '../../core/clock.js';
import { asEarshotError, type EarshotError } from '../../core/errors.js';
import { type LiveCommand, type LiveEvent, type LiveStream, secondsOfBytes } from '../../core/live/live.js';
import type { Metrics } from '../../core/metrics.js';
import type { Lease, ModelPool } from '../../pool/model-pool.js';
import type { LivePlace } from '../live/admission/admission.js';
import { fitSession } from '../live/session/live-options.js';
import { type TranscribeRequest, transcriptionOf } from './requests.js';

/** Back-pressure: reading stops above this much unprocessed audio, and resumes below the second value. */
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
	/** Called with more text; all texts joined are the transcript. */
	readonly delta: (text: string) => void;
	/** Called once at the end, unless `failed` is called. */
	readonly transcribed: (text: string, language: string | null) => void;
	readonly failed: (error: EarshotError) => void;
	/** `isLagging` may have changed. */
	readonly progressed: () => void;
}

export class Utterance {
	readonly #options: UtteranceOptions;
	readonly #cancellation = new AbortController();
	#lease: Lease | undefined;
	#stream: LiveStream | undefined;
	/** Commands received before the stream was open. */
	#waiting: LiveCommand[] = [];
	#bytes = 0;
	/** Length of the audio that earlier streams have processed. */
	#movedMs = 0;
	#processedMs = 0;
	#text = '';
	#language: string | null = null;
	#isPaused = false;
	#stoppedMs: number | undefined;
	#isClosed = false;

	constructor(options: UtteranceOptions) {
		this.#options = options;
		void this.#open();
	}

	get model(): string {
		return this.#options.place.model;
	}

	/** Length of the received audio. */
	get seconds(): number {
		return secondsOfBytes(this.#bytes, { encoding: 'pcm16', rate: this.#options.rate });
	}

	get hasStopped(): boolean {
		return this.#stoppedMs !== undefined;
	}

	/** Whether reading from the client should pause. */
	get isLagging(): boolean {
		if (this.#stream === undefined) return true;
		const lagMs = this.seconds * 1000 - this.#processedMs;
		return lagMs > (this.#isPaused ? resumeBelowMs : pauseAboveMs);
	}

	/** Whether reading from the client is paused. */
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

	/** Ends the audio. */
	stop(): void {
		this.#stoppedMs = this.#options.clock.now();
		this.#send({ type: 'end' });
	}

	/** Cancels the transcription. Safe to call twice. */
	close(): void {
		if (this.#isClosed) return;
		this.#isClosed = true;
		this.#cancellation.abort();
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
			const lease = await pool.lease(this.model, this.#cancellation.signal, 'live');
			if (this.#isClosed) return lease.release();
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
		if (this.#isClosed) return;
		const { listener, place } = this.#options;
		switch (event.type) {
			case 'processed':
				place.recordLoad(this.#movedMs + event.atMs - this.#processedMs, event.busyMs ?? 0);
				this.#processedMs = this.#movedMs + event.atMs;
				listener.progressed();
				break;
			case 'delta':
				this.#emit(event.text);
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
				this.#movedMs = this.#processedMs;
				this.#stream = undefined;
				void this.#open();
				break;
			// Wyoming has no turns: the audio is one utterance.
			case 'started':
			case 'stopped':
			case 'committed':
			case 'empty':
			case 'cleared':
			case 'configured':
				break;
		}
	}

	#emit(text: string): void {
		this.#text += text;
		this.#options.listener.delta(text);
	}

	#fail(error: EarshotError): void {
		if (this.#isClosed) return;
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
