/** One client's socket: performs the outputs of its session, and limits its use of resources. */

import type { RawData, WebSocket } from 'ws';
import { type Clock, RunningTime } from '../../core/clock.js';
import { asEarshotError } from '../../core/errors.js';
import type { LiveEvent, LiveOptions, LiveStream } from '../../core/live/live.js';
import type { Log } from '../../core/log.js';
import type { Metrics } from '../../core/metrics.js';
import type { Lease, ModelPool } from '../../pool/model-pool.js';
import type { LivePlace } from './admission/admission.js';
import { LiveMeter } from './meter.js';
import type { Ending, SessionInput, SessionOutput } from './session/outbox.js';
import type { Session } from './session/session.js';

export interface ConnectionOptions {
	readonly socket: WebSocket;
	readonly session: Session;
	readonly pool: ModelPool;
	readonly place: LivePlace;
	readonly metrics: Metrics;
	readonly clock: Clock;
	readonly log: Log;
	/** Id of the upgrade request. */
	readonly requestId: string;
	/** Bytes received on the socket so far. */
	readonly bytesReceived: () => number;
	/** Maximum duration; 0 = no limit. */
	readonly maxMs: number;
	/** Closes the connection at once, when the server shuts down. */
	readonly signal: AbortSignal;
	readonly onClosed: () => void;
}

const tickMs = 5_000;
const pingEveryMs = 20_000;
/** A client that has sent nothing, not even a pong or a part of an event, for this time is considered disconnected: with
 * the ticks before and after it, within 40 s. */
const silentMs = 30_000;
/** A session without audio for this time is ended, which releases its model. */
const idleMs = 10 * 60_000;

/** Back-pressure: reading stops above this much unprocessed audio, and resumes below the second value. */
const pauseAboveMs = 5_000;
const resumeBelowMs = 2_000;

/** While events wait for a model or for its answers, reading stops above this many bytes of them: about 16 s of audio at
 * 24 kHz. Audio that was read is transcribed even if the server shuts down. */
const maxWaitingBytes = 1 << 20;

/** Reading stops above this many commits, clears and updates without an answer: a model answers at once, unless it hangs. */
const maxUnanswered = 256;

/** Unsent bytes of events above which reading from the client stops, and above which the connection is closed. */
const slowBytes = 1 << 20;
const stuckBytes = 4 << 20;
/** The connection is also closed if it stays above `slowBytes` for this time. */
const stuckMs = 25_000;

/** Time that the client has to complete the closing handshake. */
const closeMs = 500;

export class Connection {
	readonly #options: ConnectionOptions;
	readonly #meter: LiveMeter;
	readonly #startedMs: number;
	/** For how long the client was silent or did not read. */
	readonly #running: RunningTime;
	readonly #stopTick: () => void;
	#lease: Lease | undefined;
	#leasing: AbortController | undefined;
	#stream: LiveStream | undefined;
	#isPaused = false;
	#pingedMs: number;
	/** As of the last tick. */
	#bytesReceived = 0;
	#receivedMs: number;
	/** As of the last event after which nothing waited for a model or for its answer. */
	#bytesHandled = 0;
	#appendedMs = 0;
	#appendedAtMs: number;
	#slowSinceMs: number | undefined;
	#ending: Ending | undefined;
	#isClosed = false;

	constructor(options: ConnectionOptions) {
		this.#options = options;
		const { socket, session, clock, metrics, signal } = options;
		this.#meter = new LiveMeter(metrics, clock);
		this.#startedMs = clock.now();
		this.#running = new RunningTime(clock, tickMs);
		const now = this.#running.now();
		this.#pingedMs = now;
		this.#receivedMs = now;
		this.#appendedAtMs = now;
		this.#stopTick = clock.every(tickMs, () => this.#tick());
		socket.on('message', (data: RawData, isBinary: boolean) => this.#receive(data, isBinary));
		// `close` follows.
		socket.on('error', () => {});
		socket.on('close', () => this.#closed());
		signal.addEventListener('abort', () => this.#give(1001, 'the server is shutting down'), { once: true });
		this.#guarded(() => this.#perform(session.start()));
	}

	/** Ends the session: received audio is still transcribed, then the socket is closed. */
	end(why: Ending): void {
		this.#ending ??= why;
		this.#feed({ type: 'end', why });
	}

	#receive(data: RawData, isBinary: boolean): void {
		this.#feed(
			isBinary
				? { type: 'malformed', what: 'Expected text frames with JSON, got a binary one' }
				: inputOf(data),
		);
	}

	#feed(input: SessionInput): void {
		if (this.#isClosed) return;
		const { session } = this.#options;
		this.#guarded(() => this.#perform(session.take(input)));
		if (this.#isClosed) return;
		const addedMs = session.appendedMs - this.#appendedMs;
		this.#appendedMs = session.appendedMs;
		if (addedMs > 0) this.#appendedAtMs = this.#running.now();
		this.#meter.appended(this.#model, session.appendedMs, addedMs);
		this.#balance();
	}

	/** An internal error ends this session, not the server. */
	#guarded(work: () => void): void {
		try {
			work();
		} catch (thrown) {
			this.#options.log.error({ id: this.#options.requestId, err: thrown }, 'live session failed');
			this.#give(1011, 'internal');
		}
	}

	#perform(outputs: readonly SessionOutput[]): void {
		const { socket } = this.#options;
		for (const output of outputs) {
			switch (output.type) {
				case 'send':
					this.#meter.sent(this.#model, output.event);
					socket.send(JSON.stringify(output.event), () => this.#balance());
					break;
				case 'lease':
					void this.#leaseModel(output.model);
					break;
				case 'listen':
					this.#listen(output.stream, output.options);
					break;
				case 'command':
					this.#stream?.send(output.command);
					break;
				case 'close':
					this.#give(output.code, output.reason);
					break;
			}
		}
	}

	/** Never rejects. */
	async #leaseModel(model: string): Promise<void> {
		const { pool, place } = this.#options;
		this.#leasing?.abort();
		const control = new AbortController();
		this.#leasing = control;
		try {
			const lease = await pool.lease(model, control.signal, 'live');
			if (control.signal.aborted) return lease.release();
			this.#stream?.close();
			this.#stream = undefined;
			this.#lease?.release();
			this.#lease = lease;
			place.model = lease.info.id;
			this.#feed({ type: 'leased', info: lease.info });
		} catch (thrown) {
			if (control.signal.aborted) return;
			this.#feed({ type: 'unavailable', error: asEarshotError(thrown) });
		}
	}

	#listen(stream: number, options: LiveOptions): void {
		this.#stream?.close();
		this.#stream = this.#lease?.listen(options, (event) => this.#takeEvent(stream, event));
	}

	#takeEvent(stream: number, event: LiveEvent): void {
		const { place, session } = this.#options;
		const processedMs = session.processedMs;
		this.#feed({ type: 'stream', stream, event });
		if (event.type === 'processed') place.recordLoad(session.processedMs - processedMs, event.busyMs ?? 0);
		this.#meter.processed(this.#model, event, session.processedMs);
	}

	get #model(): string {
		return this.#options.place.model;
	}

	/** Back-pressure: pauses reading while unprocessed audio or unsent events pile up. */
	#balance(): void {
		if (this.#isClosed) return;
		const { socket, session, metrics, bytesReceived } = this.#options;
		const { bufferedAmount } = socket;
		const bytes = bytesReceived();
		if (!session.isWaiting && session.unanswered === 0) this.#bytesHandled = bytes;
		if (bufferedAmount > stuckBytes) {
			this.#give(1013, 'the events are not read');
			return;
		}
		const isSlow = bufferedAmount > slowBytes;
		this.#slowSinceMs = isSlow ? (this.#slowSinceMs ?? this.#running.now()) : undefined;
		const limitMs = this.#isPaused ? resumeBelowMs : pauseAboveMs;
		const isFull = bytes - this.#bytesHandled > maxWaitingBytes || session.unanswered > maxUnanswered;
		const pauses = isSlow || isFull || session.lagMs > limitMs;
		if (pauses === this.#isPaused) return;
		this.#isPaused = pauses;
		if (pauses) {
			metrics.livePaused(this.#model);
			socket.pause();
		} else {
			socket.resume();
			this.#receivedMs = this.#running.now();
		}
	}

	#tick(): void {
		const { socket, clock, maxMs, bytesReceived } = this.#options;
		this.#running.tick();
		const now = this.#running.now();
		const bytes = bytesReceived();
		if (bytes !== this.#bytesReceived) this.#receivedMs = now;
		this.#bytesReceived = bytes;
		this.#balance();
		const isStuck = this.#slowSinceMs !== undefined && now - this.#slowSinceMs >= stuckMs;
		if (isStuck) this.#give(1013, 'the events are not read');
		// While reading is paused, pongs are not received either.
		else if (!this.#isPaused && now - this.#receivedMs >= silentMs) socket.terminate();
		if (this.#isClosed) return;
		// While reading is paused, only a failing write detects a disconnected client.
		if (this.#isPaused || now - this.#pingedMs >= pingEveryMs) {
			this.#pingedMs = now;
			socket.ping();
		}
		if (this.#ending) return;
		if (maxMs > 0 && clock.now() - this.#startedMs >= maxMs) this.end(expired(maxMs));
		else if (now - this.#appendedAtMs >= idleMs)
			this.end({ code: 1000, reason: `no audio for ${idleMs / 60_000} minutes` });
	}

	/** Closes the socket, forcibly if the client does not complete the closing handshake. */
	#give(code: number, reason: string): void {
		if (this.#isClosed) return;
		const { socket, clock } = this.#options;
		socket.close(code, reason.slice(0, 120));
		// The client's close frame must be read.
		socket.resume();
		const stop = clock.after(closeMs, () => socket.terminate());
		socket.once('close', stop);
		this.#closed({ code, reason });
	}

	#closed(how?: { readonly code: number; readonly reason: string }): void {
		if (this.#isClosed) return;
		this.#isClosed = true;
		const { place, log, requestId, clock, session, onClosed } = this.#options;
		this.#stopTick();
		this.#leasing?.abort();
		this.#stream?.close();
		this.#lease?.release();
		place.leave();
		const fields = {
			id: requestId,
			model: place.model,
			ms: Math.round(clock.now() - this.#startedMs),
			audioSeconds: Math.round(session.appendedMs / 1000),
			turns: this.#meter.turns,
			...how,
		};
		log.info(fields, 'live session ended');
		onClosed();
	}
}

function inputOf(data: RawData): SessionInput {
	try {
		return { type: 'client', event: JSON.parse(textOf(data)) };
	} catch {
		return { type: 'malformed', what: 'Expected a JSON object, got text that is not JSON' };
	}
}

function textOf(data: RawData): string {
	if (Array.isArray(data)) return Buffer.concat(data).toString('utf8');
	return (Buffer.isBuffer(data) ? data : Buffer.from(data)).toString('utf8');
}

function expired(maxMs: number): Ending {
	const minutes = Math.round(maxMs / 60_000);
	const message = `Your session hit the maximum duration of ${minutes} minutes.`;
	const error = { type: 'invalid_request_error', code: 'session_expired', message, param: null };
	return { code: 1001, reason: message, error };
}

/** Reason for ending sessions when the server shuts down. */
export const shuttingDown: Ending = {
	code: 1001,
	reason: 'the server is shutting down',
};
