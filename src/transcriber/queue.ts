/** Waiting clips: one line per recording, and recordings take turns. No policy beyond that; see pick-batch.ts. */

import type { Clip, RecognizeOptions } from '../engines/engine.js';

export interface WaitingClip {
	readonly clip: Clip;
	readonly options: RecognizeOptions;
}

/** The clips of one recording that wait, first to be run first. */
export interface Line<W extends WaitingClip> {
	readonly waiting: W[];
}

export class Queue<W extends WaitingClip> {
	/** In the order of their turns: the line served last is at the end. */
	readonly #lines = new Map<object, Line<W>>();

	get isEmpty(): boolean {
		return this.#lines.size === 0;
	}

	/** Audio seconds that wait. */
	get seconds(): number {
		let sum = 0;
		for (const { waiting } of this.#lines.values()) {
			for (const { clip } of waiting) sum += clip.end - clip.start;
		}
		return sum;
	}

	/** Lines in the order of their turns. */
	get lines(): readonly Line<W>[] {
		return [...this.#lines.values()];
	}

	/** `recording` is any object that stands for the recording. */
	push(recording: object, waiting: W): void {
		const line = this.#lines.get(recording);
		if (line) line.waiting.push(waiting);
		else this.#lines.set(recording, { waiting: [waiting] });
	}

	/** Takes the clips out; the lines they came from go to the end of the turns. */
	take(picked: readonly W[]): void {
		const gone = new Set(picked);
		for (const [recording, line] of [...this.#lines]) {
			const rest = line.waiting.filter((waiting) => !gone.has(waiting));
			if (rest.length === line.waiting.length) continue;
			this.#lines.delete(recording);
			if (rest.length > 0) this.#lines.set(recording, { waiting: rest });
		}
	}

	/** Takes every clip of the recording out and returns them. */
	drop(recording: object): W[] {
		const line = this.#lines.get(recording);
		this.#lines.delete(recording);
		return line?.waiting ?? [];
	}
}
