/** Reorders the final events of turns, which may arrive in any order, into the order of the turns. Pure. */

import type { LiveEvent } from './live.js';

type TurnEnd = Extract<LiveEvent, { type: 'completed' | 'failed' }>;

export class InOrder {
	/** Committed turns whose final event has not been released, in order; with that event if it has arrived. */
	readonly #waiting = new Map<number, TurnEnd | undefined>();

	/** Number of committed turns whose final event has not been released. */
	get size(): number {
		return this.#waiting.size;
	}

	committed(turn: number): void {
		this.#waiting.set(turn, undefined);
	}

	/** Takes the final event of a turn. Returns the final events that can be released now. */
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
