/**
 * How much may wait for a model. What counts is the audio that would be heard before a recording's last clip:
 * of every other recording as much as its own length, since recordings take turns. So a dictation is welcome
 * beside a file of four hours, a second such file is not, and a recording alone is never refused, however
 * long it is.
 *
 * A recording is admitted as a whole or not at all, when it has arrived and its model is loaded. It has not
 * been decoded then, so its length is guessed from its bytes, and put right when it is known. The guess is of
 * little weight: it is not the recording's own length that is held against it.
 */

import type { Clock } from '../../clock.js';
import { EarshotError } from '../../errors.js';
import type { Metrics } from '../../metrics.js';
import { Throughput } from './throughput.js';

export interface AdmissionOptions {
	/** Audio seconds that may be heard before a recording. */
	readonly maxQueueSeconds: number;
	readonly metrics: Metrics;
	readonly clock: Clock;
}

/** No turn is longer, seconds: a clip. */
export const turnSeconds = 30;

/** Of the usual compressed recording; PCM has two to twenty times as many, Opus a quarter. */
const usualBytesPerSecond = 16_000;

/** A guess for a recording that nobody has decoded yet. */
export function guessedSeconds(bytes: number): number {
	return bytes / usualBytesPerSecond;
}

/** Audio seconds heard of the others before a recording of `seconds` is through. Pure. */
export function secondsAhead(others: readonly number[], seconds: number): number {
	const turns = Math.max(seconds, turnSeconds);
	let ahead = 0;
	for (const remaining of others) ahead += Math.min(remaining, turns);
	return ahead;
}

/** Where a recording stands among those that came before. */
export interface Position {
	/** Recordings that came before and are not through. */
	readonly recordings: number;
	/** Until they let this one through, by the throughput of late: whole seconds. */
	readonly seconds: number;
}

export class Admission {
	readonly #options: AdmissionOptions;
	readonly #queues = new Map<string, ModelQueue>();

	constructor(options: AdmissionOptions) {
		this.#options = options;
		options.metrics.askBefore(() => {
			for (const queue of this.#queues.values()) queue.tell();
		});
	}

	/** Throws `overloaded` with an estimate of when to come back. `model`: its id. */
	admit(model: string, seconds: number): QueueTicket {
		let queue = this.#queues.get(model);
		if (queue === undefined) {
			queue = new ModelQueue(model, this.#options);
			this.#queues.set(model, queue);
		}
		return queue.admit(seconds);
	}
}

class ModelQueue {
	readonly #model: string;
	readonly #options: AdmissionOptions;
	/** In the order they came. */
	readonly #places = new Set<QueueTicket>();
	/** Until something has been heard: as fast as it was spoken. */
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
				`The model \`${this.#model}\` has ${Math.round(ahead)} s of audio to hear first, and at most ${maxQueueSeconds} s may wait; try again in ${retryAfterSeconds} s`,
				{ retryAfterSeconds },
			);
		}
		const ticket = new QueueTicket(this, seconds);
		this.#places.add(ticket);
		return ticket;
	}

	/** So many more seconds of a recording have been heard. */
	heard(seconds: number): void {
		this.#tick();
		this.#throughput.add(seconds, 0);
	}

	leave(ticket: QueueTicket): void {
		this.#tick();
		this.#places.delete(ticket);
	}

	positionOf(ticket: QueueTicket): Position {
		const others = [...this.#places];
		const before = others.slice(0, Math.max(0, others.indexOf(ticket)));
		const ahead = secondsAhead(
			before.map(({ remaining }) => remaining),
			ticket.remaining,
		);
		return { recordings: before.length, seconds: ahead === 0 ? 0 : this.#throughput.secondsFor(ahead) };
	}

	/** For the metrics. */
	tell(): void {
		this.#tick();
		const remaining = this.#remaining();
		this.#options.metrics.queued(this.#model, {
			recordings: remaining.length,
			seconds: remaining.reduce((sum, each) => sum + each, 0),
			realTimeFactor: 1 / this.#throughput.perSecond,
		});
	}

	#remaining(): number[] {
		const seconds: number[] = [];
		for (const { remaining } of this.#places) seconds.push(remaining);
		return seconds;
	}

	/** Time counts while there is work. */
	#tick(): void {
		const now = this.#options.clock.now();
		if (this.#places.size > 0) this.#throughput.add(0, (now - this.#lastMs) / 1000);
		this.#lastMs = now;
	}
}

/** An admitted recording's. To be left when its request ends. */
export class QueueTicket {
	readonly #queue: ModelQueue;
	#seconds: number;
	#heard = 0;
	#left = false;

	constructor(queue: ModelQueue, seconds: number) {
		this.#queue = queue;
		this.#seconds = seconds;
	}

	/** Audio seconds not heard yet. */
	get remaining(): number {
		return Math.max(0, this.#seconds - this.#heard);
	}

	get position(): Position {
		return this.#queue.positionOf(this);
	}

	/** What was guessed is known now. */
	lengthIs(seconds: number): void {
		this.#seconds = seconds;
	}

	/** The recording has been heard up to there. */
	heardUpTo(seconds: number): void {
		const more = seconds - this.#heard;
		if (more <= 0) return;
		this.#heard = seconds;
		this.#queue.heard(more);
	}

	/** Safe to call twice. */
	leave(): void {
		if (this.#left) return;
		this.#left = true;
		this.#queue.leave(this);
	}
}
