/** One Wyoming client: handles its events in order, and limits its use of resources. */

import type { Socket } from 'node:net';
import { type Clock, RunningTime } from '../../core/clock.js';
import { asEarshotError, EarshotError, expected } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import type { Metrics } from '../../core/metrics.js';
import type { ModelPool } from '../../pool/model-pool.js';
import type { LiveAdmission } from '../live/admission/admission.js';
import type { ModelNames } from '../live/session/model-names.js';
import type { InFlight } from '../request/context.js';
import { encodedEvent, type WyomingEvent, WyomingReader } from './events.js';
import { infoOf, modelFor, programName } from './models.js';
import { anyRequest, readPing, readProgram, readRate, readTranscribe } from './requests.js';
import { Utterance } from './utterance.js';

export interface WyomingOptions {
	readonly pool: ModelPool;
	readonly admission: LiveAdmission;
	readonly names: ModelNames;
	readonly version: string;
	/** Maximum length of an utterance; 0 = no limit. */
	readonly maxMs: number;
	/** Partial text during speech also from models that transcribe whole turns. */
	readonly partials: boolean;
	readonly inFlight: InFlight;
	readonly isDraining: () => boolean;
	readonly metrics: Metrics;
	readonly log: Log;
	readonly clock: Clock;
}

const tickMs = 5_000;
/** A connection is closed after this time without an event, unless it waits for a transcript. */
const idleMs = 60_000;
/** The connection is closed if the client leaves this many bytes of responses unread. */
const stuckBytes = 1 << 20;
/** Time that a client has to read an error and close its side. */
const closeMs = 500;

export class WyomingConnection {
	readonly #options: WyomingOptions;
	readonly #id: string;
	readonly #socket: Socket;
	readonly #onClosed: () => void;
	readonly #reader = new WyomingReader();
	/** For how long the client was silent. */
	readonly #running: RunningTime;
	readonly #stopTick: () => void;
	#request = anyRequest;
	#utterance: Utterance | undefined;
	#inFlight: AbortController | undefined;
	#rate = 0;
	#beganMs = 0;
	#hasReported = false;
	/** Events received while an earlier transcript is pending. */
	#held: WyomingEvent[] = [];
	#eventMs: number;
	#hasEnded = false;
	#isClosed = false;

	constructor(socket: Socket, id: string, options: WyomingOptions, onClosed: () => void) {
		this.#socket = socket;
		this.#id = id;
		this.#options = options;
		this.#onClosed = onClosed;
		this.#running = new RunningTime(options.clock, tickMs);
		this.#eventMs = this.#running.now();
		this.#stopTick = options.clock.every(tickMs, () => this.#tick());
		socket.on('data', (chunk: Buffer) => this.#read(chunk));
		socket.on('end', () => this.#ended());
		// The event `close` follows and is handled.
		socket.on('error', () => {});
		socket.on('close', () => this.#closed());
	}

	/** For shutdown: the current utterance is still transcribed. */
	drain(): void {
		if (!this.#utterance) this.#finish();
	}

	#read(chunk: Buffer): void {
		if (this.#isClosed) return;
		try {
			for (const event of this.#reader.read(chunk)) {
				this.#eventMs = this.#running.now();
				this.#handle(event);
				if (this.#isClosed) return;
			}
		} catch (thrown) {
			this.#fail(asEarshotError(thrown));
		}
		this.#balance();
	}

	#handle(event: WyomingEvent): void {
		if (event.type === 'describe') this.#send('info', infoOf(this.#options.pool, this.#options.version));
		else if (event.type === 'ping') this.#send('pong', { text: readPing(event) });
		else if (this.#utterance?.hasStopped) this.#held.push(event);
		else this.#take(event);
	}

	/** Ignores events of other services, which may come in between. */
	#take(event: WyomingEvent): void {
		switch (event.type) {
			case 'select-program':
				if (readProgram(event) !== programName)
					throw expected('name', `\`${programName}\``, readProgram(event));
				break;
			case 'transcribe':
				if (this.#utterance) throw misplaced('transcribe', 'before `audio-start`');
				this.#request = readTranscribe(event);
				break;
			case 'audio-start':
				if (this.#utterance) throw misplaced('audio-start', 'after `audio-stop`');
				this.#begin(readRate(event));
				break;
			case 'audio-chunk':
				this.#push(event);
				break;
			case 'audio-stop':
				// `audio-stop` without audio: the transcript is empty.
				if (!this.#utterance) this.#begin(defaultRate);
				this.#utterance?.stop();
				break;
		}
	}

	/** Throws `overloaded`, `model_not_found`, `closed`. */
	#begin(rate: number): void {
		const { pool, admission, names, clock, inFlight, isDraining, metrics, partials } = this.#options;
		if (isDraining()) throw new EarshotError('closed', 'the server is shutting down');
		const place = admission.admit(modelFor(this.#request, pool, names), '');
		this.#rate = rate;
		this.#beganMs = clock.now();
		this.#hasReported = false;
		const { language } = this.#request;
		this.#inFlight = inFlight.begin();
		this.#inFlight.signal.addEventListener('abort', () =>
			this.#fail(new EarshotError('closed', 'the server is shutting down')),
		);
		const start = () => {
			if (!this.#hasReported) this.#send('transcript-start', language === '' ? {} : { language });
			this.#hasReported = true;
		};
		const shared = { pool, place, request: this.#request, rate, partials, metrics, clock };
		this.#utterance = new Utterance({
			...shared,
			listener: {
				progressed: () => this.#balance(),
				delta: (text) => {
					start();
					this.#send('transcript-chunk', { text });
				},
				transcribed: (text, found) => {
					start();
					this.#send('transcript', { text, ...(found !== null && { language: found }) });
					this.#send('transcript-stop', {});
					this.#transcribed();
				},
				failed: (error) => this.#fail(error),
			},
		});
	}

	#push(event: WyomingEvent): void {
		const rate = readRate(event);
		// Some clients omit `audio-start`.
		if (!this.#utterance) this.#begin(rate);
		if (rate !== this.#rate) throw expected('rate', `${this.#rate}, as it was before`, rate);
		this.#utterance?.push(event.payload);
	}

	#transcribed(): void {
		this.#log(undefined);
		this.#releaseUtterance();
		this.#request = anyRequest;
		this.#eventMs = this.#running.now();
		const held = this.#held;
		this.#held = [];
		try {
			for (const event of held) if (!this.#isClosed) this.#handle(event);
		} catch (thrown) {
			this.#fail(asEarshotError(thrown));
		}
		if (this.#isClosed) return;
		if (!this.#utterance && (this.#hasEnded || this.#options.isDraining())) this.#finish();
		this.#balance();
	}

	#send(type: string, data: Record<string, unknown>): void {
		if (this.#isClosed) return;
		this.#socket.write(encodedEvent(type, data, this.#options.version));
		if (this.#socket.writableLength > stuckBytes) this.#socket.destroy();
	}

	/** The client has closed its side; it may still wait for a transcript. */
	#ended(): void {
		this.#hasEnded = true;
		if (!this.#utterance?.hasStopped) this.#finish();
	}

	/** Sends the error and closes: after an error, further events cannot be interpreted. */
	#fail(error: EarshotError): void {
		if (this.#isClosed) return;
		this.#log(error);
		this.#send('error', { text: error.message, code: error.code });
		this.#finish();
	}

	#finish(): void {
		const { clock } = this.#options;
		this.#socket.end();
		// Reads to the end, since closing with unread data would discard the error before the client has read it.
		this.#socket.resume();
		const stop = clock.after(closeMs, () => this.#socket.destroy());
		this.#socket.once('close', stop);
		this.#closed();
	}

	/** Back-pressure: pauses reading while unprocessed audio or requests pile up. */
	#balance(): void {
		const utterance = this.#utterance;
		if (this.#isClosed) return;
		const pauses = this.#held.length > 0 || (utterance?.isLagging === true && !utterance.hasStopped);
		if (utterance) utterance.isPaused = pauses;
		if (pauses) this.#socket.pause();
		else if (this.#socket.isPaused()) {
			this.#eventMs = this.#running.now();
			this.#socket.resume();
		}
	}

	#tick(): void {
		const { clock, maxMs } = this.#options;
		this.#running.tick();
		if (this.#utterance && maxMs > 0 && clock.now() - this.#beganMs >= maxMs)
			this.#fail(new EarshotError('deadline_exceeded', `The audio is longer than ${maxMs / 60_000} minutes`));
		const isPaused = this.#socket.isPaused() || this.#utterance?.hasStopped === true;
		if (this.#isClosed || isPaused || this.#running.now() - this.#eventMs < idleMs) return;
		this.#fail(new EarshotError('request_timeout', `No event came for ${idleMs / 1000} seconds`));
	}

	#closed(): void {
		if (this.#isClosed) return;
		this.#isClosed = true;
		this.#stopTick();
		this.#releaseUtterance();
		this.#held = [];
		this.#onClosed();
	}

	#releaseUtterance(): void {
		this.#utterance?.close();
		this.#utterance = undefined;
		if (this.#inFlight) this.#options.inFlight.end(this.#inFlight);
		this.#inFlight = undefined;
	}

	#log(error: EarshotError | undefined): void {
		const { log, clock } = this.#options;
		const utterance = this.#utterance;
		const fields = {
			id: this.#id,
			...(utterance && {
				model: utterance.model,
				ms: Math.round(clock.now() - this.#beganMs),
				audioSeconds: Math.round(utterance.seconds),
			}),
			...(error && { code: error.code }),
		};
		log.info(fields, 'wyoming transcription');
	}
}

/** For an utterance without audio. */
const defaultRate = 16_000;

const misplaced = (type: string, where: string): EarshotError =>
	new EarshotError('invalid_request', `Expected \`${type}\` ${where}: this audio has not ended`);
