/** Waiting clips: one queue per recording, served round-robin in the order that fairness.ts decides. */

import { backgroundCreditAfter, inTurn, interactiveSeconds, secondsOf } from './fairness.js';
import type { RecordingQueue, WaitingClip } from './waiting.js';

export class Queue<W extends WaitingClip> {
	/** In round-robin order: the most recently served queue is last. */
	readonly #queues = new Map<object, W[]>();
	/** Started seconds of each recording. Entries outlive the recording's queue, since a recording that is still being
	 * decoded submits more clips later. */
	readonly #startedSeconds = new WeakMap<object, number>();
	#backgroundCredit = 0;
	#clips = 0;
	#seconds = 0;

	/** Number of waiting clips. */
	get clips(): number {
		return this.#clips;
	}

	/** Audio seconds of the waiting clips. */
	get seconds(): number {
		return this.#seconds;
	}

	/** The queues in scheduling order. */
	get queues(): readonly RecordingQueue<W>[] {
		return inTurn(this.#inOrder(), this.#backgroundCredit);
	}

	/** `recording`: any object that identifies the recording; `background`: background priority from its start. */
	push(recording: object, background: boolean, waiting: W): void {
		if (background && !this.#startedSeconds.has(recording))
			this.#startedSeconds.set(recording, interactiveSeconds);
		const queue = this.#queues.get(recording);
		if (queue) queue.push(waiting);
		else this.#queues.set(recording, [waiting]);
		this.#clips++;
		this.#seconds += secondsOf(waiting);
	}

	/** Removes the clips that are being started; their queues move to the end of the round. */
	take(picked: readonly W[]): void {
		const taken = new Set(picked);
		this.#backgroundCredit = backgroundCreditAfter(this.#inOrder(), taken, this.#backgroundCredit);
		for (const [recording, queue] of [...this.#queues]) {
			const started = queue.filter((waiting) => taken.has(waiting));
			if (started.length === 0) continue;
			const seconds = started.reduce((sum, waiting) => sum + secondsOf(waiting), 0);
			this.#startedSeconds.set(recording, (this.#startedSeconds.get(recording) ?? 0) + seconds);
			this.#queues.delete(recording);
			this.#uncount(started.length, seconds);
			const rest = queue.filter((waiting) => !taken.has(waiting));
			if (rest.length > 0) this.#queues.set(recording, rest);
		}
	}

	/** Removes and returns every clip of the recording. */
	drop(recording: object): readonly W[] {
		const queue = this.#queues.get(recording) ?? [];
		this.#queues.delete(recording);
		this.#uncount(
			queue.length,
			queue.reduce((sum, waiting) => sum + secondsOf(waiting), 0),
		);
		return queue;
	}

	/** Removes and returns every clip. */
	clear(): readonly W[] {
		return [...this.#queues.keys()].flatMap((recording) => this.drop(recording));
	}

	#inOrder(): RecordingQueue<W>[] {
		return Array.from(this.#queues, ([recording, waiting]) => ({
			waiting,
			startedSeconds: this.#startedSeconds.get(recording) ?? 0,
		}));
	}

	#uncount(clips: number, seconds: number): void {
		this.#clips -= clips;
		// Rounding errors of the sum must not accumulate.
		this.#seconds = this.#clips === 0 ? 0 : this.#seconds - seconds;
	}
}
