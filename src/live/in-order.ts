/** Brings the ends of turns into the order of the turns, whichever is done first. Pure. */

import type { LiveEvent } from './live.js';

type TurnEnd = Extract<LiveEvent, { type: 'completed' | 'failed' }>;

export class InOrder {
	/** Committed turns without an end that was told, in order; with the end where it has come already. */
	readonly #waiting = new Map<number, TurnEnd | undefined>();

	/** Committed turns whose end was not told. */
	get size(): number {
		return this.#waiting.size;
	}

	committed(turn: number): void {
		this.#waiting.set(turn, undefined);
	}

	/** Returns the ends that can be told now. */
	ended(end: TurnEnd): TurnEnd[] {
		this.#waiting.set(end.turn, end);
		const ready: TurnEnd[] = [];
		for (const [turn, known] of this.#waiting) {
			if (known === undefined) break;
			ready.push(known);
			this.#waiting.delete(turn);
		}
		return ready;
	}
}
