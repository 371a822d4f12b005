/** Prints the events of `earshot listen`. Pure. */

import type { ListenEvent } from '../../library/listen.js';

/** An event as one line of JSON. */
export function eventLine(event: ListenEvent): string {
	if (event.type !== 'failed') return `${JSON.stringify(event)}\n`;
	const { code, message } = event.error;
	return `${JSON.stringify({ ...event, error: { code, message } })}\n`;
}

/** Prints text as it arrives, a line for each turn: a turn that begins before another has ended is held until then. */
export class TurnLines {
	/** Text that is not printed yet, by turn; a finished turn ends with a newline. */
	readonly #waiting = new Map<number, string>();
	readonly #over = new Set<number>();

	/** Returns what to print now. */
	take(event: ListenEvent): string {
		const { turn } = event;
		const waiting = this.#waiting.get(turn) ?? '';
		if (event.type === 'started' || event.type === 'stopped') this.#waiting.set(turn, waiting);
		if (event.type === 'delta') this.#waiting.set(turn, waiting + event.text);
		if (event.type === 'completed' || event.type === 'failed') {
			this.#waiting.set(turn, waiting);
			this.#over.add(turn);
		}
		return this.#printable();
	}

	#hasPrinted = false;

	#printable(): string {
		let printed = '';
		for (const [turn, waiting] of [...this.#waiting].sort(([a], [b]) => a - b)) {
			printed += waiting;
			this.#hasPrinted ||= waiting !== '';
			this.#waiting.set(turn, '');
			if (!this.#over.has(turn)) break;
			// A turn without words has no line.
			if (this.#hasPrinted) printed += '\n';
			this.#hasPrinted = false;
			this.#waiting.delete(turn);
			this.#over.delete(turn);
		}
		return printed;
	}
}
