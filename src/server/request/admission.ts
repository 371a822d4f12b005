/**
 * Limits the queue of each model. The limit applies to the audio that would be transcribed before the last clip of a
 * new recording. Recordings take turns, so every other recording counts with at most the new one's length. Thus a
 * dictation is admitted beside a file of four hours, a second such file is not, and a lone recording always is,
 * whatever its length.
 *
 * A recording is admitted as a whole or not at all, once it has been uploaded and its model is loaded. Before it is
 * decoded, its length is estimated from its size; the estimate matters little, since a recording's own length does not
 * count against it.
 */

import type { Clock } from '../../core/clock.js';
import { EarshotError } from '../../core/errors.js';
import type { Metrics } from '../../core/metrics.js';
import { Throughput } from './throughput.js';

export interface AdmissionOptions {
	/** Maximum queued audio ahead of a new recording, seconds. */
	readonly maxQueueSeconds: number;
	readonly metrics: Metrics;
	readonly clock: Clock;
}

/** Longest turn of a recording, seconds: one clip. */
export const turnSeconds = 30;

/** Data rate of a typical compressed recording; PCM has two to twenty times this rate, Opus a quarter. */
const assumedBytesPerSecond = 16_000;

/** Estimated length of a recording that has not been decoded yet. */
export function estimatedSeconds(bytes: number): number {
	return bytes / assumedBytesPerSecond;
}

/** Audio seconds of the other recordings transcribed before a recording of `seconds` is finished. Pure. */
export function secondsAhead(others: readonly number[], seconds: number): number {
	const turns = Math.max(seconds, turnSeconds);
	let ahead = 0;
	for (const remaining of others) ahead += Math.min(remaining, turns);
	return ahead;
}

/** Kinds of queued recordings: `request` has a client that waits for the response; the others are job priorities. */
export const waitingKinds = ['request', 'interactive', 'normal', 'bulk'] as const;

export type Waiting = (typeof waitingKinds)[number];

/** A recording's position in the queue. */
export interface Position {
	/** Unfinished recordings that were admitted before. */
	readonly recordings: number;
	/** Estimated wait for them, by recent throughput: whole seconds. */
	readonly seconds: number;
}

export class Admission {
	readonly #options: AdmissionOptions;
	readonly #queues = new Map<string, ModelQueue>();

	constructor(options: AdmissionOptions) {
		this.#options = options;
		options.metrics.onScrape(() => {
			for (const queue of this.#queues.values()) queue.report();
		});
	}

	/** Throws `overloaded` with an estimate of when to retry. `model`: its id; `seconds`: the recording's length. */
	admit(model: string, seconds: number): QueueTicket {
		return this.#of(model).admit(seconds);
	}

	/** Adds a recording without checking the limit, since it was accepted and queued elsewhere. */
	join(model: string, seconds: number, kind: Waiting): QueueTicket {
		return this.#of(model).join(seconds, kind);
	}

	/** Estimated time for `seconds` of audio, by recent throughput: whole seconds, 1 or more. */
	secondsFor(model: string, seconds: number): number {
		return this.#of(model).secondsFor(seconds);
	}

	#of(model: string): ModelQueue {
		let queue = this.#queues.get(model);
		if (queue === undefined) {
			queue = new ModelQueue(model, this.#options);
			this.#queues.set(model, queue);
		}
		return queue;
	}
}

class ModelQueue {
	readonly #model: string;
	readonly #options: AdmissionOptions;
	/** In the order of admission. */
	readonly #tickets = new Set<QueueTicket>();
	/** Audio seconds per second; real time until something is measured. */
	readonly #throughput = new Throughput(1);
	#lastMs: number;

	constructor(model: string, options: AdmissionOptions) {
		this.#model = model;
		this.#options = options;
		this.#lastMs = options.clock.now();
	}

	admit(seconds: number): QueueTicket {
		this.#tick();
		const { maxQueueSeconds, metrics } = this.#options;
		const ahead = secondsAhead(this.#remaining(), seconds);
		if (ahead > maxQueueSeconds) {
			metrics.refused(this.#model, 'queue');
			const retryAfterSeconds = this.#throughput.secondsFor(ahead - maxQueueSeconds);
			throw new EarshotError(
				'overloaded',
				`The queue of the model \`${this.#model}\` is full: ${Math.round(ahead)} s of audio ahead, limit ${maxQueueSeconds} s; try again in ${retryAfterSeconds} s`,
				{ retryAfterSeconds },
			);
		}
		return this.#add(seconds, 'request');
	}

	join(seconds: number, kind: Waiting): QueueTicket {
		this.#tick();
		return this.#add(seconds, kind);
	}

	#add(seconds: number, kind: Waiting): QueueTicket {
		const ticket = new QueueTicket(this, seconds, kind);
		this.#tickets.add(ticket);
		return ticket;
	}

	secondsFor(seconds: number): number {
		this.#tick();
		return this.#throughput.secondsFor(seconds);
	}

	/** `seconds` more of a recording's audio have been transcribed. */
	progressed(seconds: number): void {
		this.#tick();
		this.#throughput.add(seconds, 0);
	}

	leave(ticket: QueueTicket): void {
		this.#tick();
		this.#tickets.delete(ticket);
	}

	positionOf(ticket: QueueTicket): Position {
		const others = [...this.#tickets];
		const before = others.slice(0, Math.max(0, others.indexOf(ticket)));
		const ahead = secondsAhead(
			before.map(({ remaining }) => remaining),
			ticket.remaining,
		);
		return { recordings: before.length, seconds: ahead === 0 ? 0 : this.#throughput.secondsFor(ahead) };
	}

	/** Updates the metrics. */
	report(): void {
		this.#tick();
		const seconds = (kind: Waiting): number =>
			[...this.#tickets].reduce((sum, each) => (each.kind === kind ? sum + each.remaining : sum), 0);
		this.#options.metrics.queued(this.#model, {
			recordings: this.#tickets.size,
			seconds: Object.fromEntries(waitingKinds.map((kind) => [kind, seconds(kind)])),
			realTimeFactor: 1 / this.#throughput.perSecond,
		});
	}

	#remaining(): number[] {
		const seconds: number[] = [];
		for (const { remaining } of this.#tickets) seconds.push(remaining);
		return seconds;
	}

	/** Counts time as work only while the queue is not empty. */
	#tick(): void {
		const now = this.#options.clock.now();
		if (this.#tickets.size > 0) this.#throughput.add(0, (now - this.#lastMs) / 1000);
		this.#lastMs = now;
	}
}

/** The place of an admitted recording in the queue. Call `leave` when its request ends. */
export class QueueTicket {
	readonly kind: Waiting;
	readonly #queue: ModelQueue;
	#seconds: number;
	#processed = 0;
	#left = false;

	constructor(queue: ModelQueue, seconds: number, kind: Waiting) {
		this.kind = kind;
		this.#queue = queue;
		this.#seconds = seconds;
	}

	/** Audio seconds not transcribed yet. */
	get remaining(): number {
		return Math.max(0, this.#seconds - this.#processed);
	}

	get position(): Position {
		return this.#queue.positionOf(this);
	}

	/** Replaces the estimated length by the real one. */
	setLength(seconds: number): void {
		this.#seconds = seconds;
	}

	/** The first `seconds` of the recording have been transcribed. */
	processedUpTo(seconds: number): void {
		const more = seconds - this.#processed;
		if (more <= 0) return;
		this.#processed = seconds;
		this.#queue.progressed(more);
	}

	/** Safe to call twice. */
	leave(): void {
		if (this.#left) return;
		this.#left = true;
		this.#queue.leave(this);
	}
}
