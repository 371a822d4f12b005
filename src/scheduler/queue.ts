/** Waiting clips: one line per recording, and recordings take turns. Whose turn it is says turns.ts. */

import { bulkCreditAfter, inTurn, secondsOf } from './fairness.js';
import type { Line, WaitingClip } from './waiting.js';

export class Queue<W extends WaitingClip> {
	/** In the order of their turns: the line served last is at the end. */
	readonly #lines = new Map<object, W[]>();
	/** Outlives the line: a recording that is decoded while it is transcribed comes back with more. */
	readonly #given = new WeakMap<object, number>();
	#bulkCredit = 0;
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
	get lines(): readonly Line<W>[] {
		return inTurn(this.#inOrder(), this.#bulkCredit);
	}

	/** `recording` is any object that stands for the recording. */
	push(recording: object, waiting: W): void {
		const line = this.#lines.get(recording);
		if (line) line.push(waiting);
		else this.#lines.set(recording, [waiting]);
		this.#clips++;
		this.#seconds += secondsOf(waiting);
	}

	/** Takes the clips out to be run; the lines they came from go to the end of the turns. */
	take(picked: readonly W[]): void {
		const taken = new Set(picked);
		this.#bulkCredit = bulkCreditAfter(this.#inOrder(), taken, this.#bulkCredit);
		for (const [recording, line] of [...this.#lines]) {
			const gone = line.filter((waiting) => taken.has(waiting));
			if (gone.length === 0) continue;
			const seconds = gone.reduce((sum, waiting) => sum + secondsOf(waiting), 0);
			this.#given.set(recording, (this.#given.get(recording) ?? 0) + seconds);
			this.#lines.delete(recording);
			this.#uncount(gone.length, seconds);
			const rest = line.filter((waiting) => !taken.has(waiting));
			if (rest.length > 0) this.#lines.set(recording, rest);
		}
	}

	/** Takes every clip of the recording out and returns them. */
	drop(recording: object): readonly W[] {
		const line = this.#lines.get(recording) ?? [];
		this.#lines.delete(recording);
		this.#uncount(
			line.length,
			line.reduce((sum, waiting) => sum + secondsOf(waiting), 0),
		);
		return line;
	}

	/** Takes everything out and returns it. */
	clear(): readonly W[] {
		return [...this.#lines.keys()].flatMap((recording) => this.drop(recording));
	}

	#inOrder(): Line<W>[] {
		return Array.from(this.#lines, ([recording, waiting]) => ({
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
