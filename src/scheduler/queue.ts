/** Waiting clips: one queue per recording, and recordings take turns. fairness.ts decides the order. */

import { backgroundCreditAfter, inTurn, secondsOf } from './fairness.js';
import type { RecordingQueue, WaitingClip } from './waiting.js';

export class Queue<W extends WaitingClip> {
	/** In the order of their turns: the queue served last is at the end. */
	readonly #queues = new Map<object, W[]>();
	/** Outlives the queue: a recording that is decoded while it is transcribed comes back with more. */
	readonly #given = new WeakMap<object, number>();
	#backgroundCredit = 0;
	#clips = 0;
	#seconds = 0;

	/** Clips that wait. */
	get clips(): number {
		return this.#clips;
	}

	/** Audio seconds that wait. */
	get seconds(): number {
		return this.#seconds;
	}

	/** Lines, the one whose turn it is first. */
	get queues(): readonly RecordingQueue<W>[] {
		return inTurn(this.#inOrder(), this.#backgroundCredit);
	}

	/** `recording` is any object that stands for the recording. */
	push(recording: object, waiting: W): void {
		const queue = this.#queues.get(recording);
		if (queue) queue.push(waiting);
		else this.#queues.set(recording, [waiting]);
		this.#clips++;
		this.#seconds += secondsOf(waiting);
	}

	/** Takes the clips out to be run; the queues they came from go to the end of the turns. */
	take(picked: readonly W[]): void {
		const taken = new Set(picked);
		this.#backgroundCredit = backgroundCreditAfter(this.#inOrder(), taken, this.#backgroundCredit);
		for (const [recording, queue] of [...this.#queues]) {
			const gone = queue.filter((waiting) => taken.has(waiting));
			if (gone.length === 0) continue;
			const seconds = gone.reduce((sum, waiting) => sum + secondsOf(waiting), 0);
			this.#given.set(recording, (this.#given.get(recording) ?? 0) + seconds);
			this.#queues.delete(recording);
			this.#uncount(gone.length, seconds);
			const rest = queue.filter((waiting) => !taken.has(waiting));
			if (rest.length > 0) this.#queues.set(recording, rest);
		}
	}

	/** Takes every clip of the recording out and returns them. */
	drop(recording: object): readonly W[] {
		const queue = this.#queues.get(recording) ?? [];
		this.#queues.delete(recording);
		this.#uncount(
			queue.length,
			queue.reduce((sum, waiting) => sum + secondsOf(waiting), 0),
		);
		return queue;
	}

	/** Takes everything out and returns it. */
	clear(): readonly W[] {
		return [...this.#queues.keys()].flatMap((recording) => this.drop(recording));
	}

	#inOrder(): RecordingQueue<W>[] {
		return Array.from(this.#queues, ([recording, waiting]) => ({
			waiting,
			given: this.#given.get(recording) ?? 0,
		}));
	}

	#uncount(clips: number, seconds: number): void {
		this.#clips -= clips;
		// Sums of fractions leave crumbs behind.
		this.#seconds = this.#clips === 0 ? 0 : this.#seconds - seconds;
	}
}
