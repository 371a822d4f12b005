/** Whose unit is next: by class, then the tenant who has had least, then in order of arrival. */

import type { Unit } from './queue.js';

/** Share of the audio that bulk work gets while other work waits too, so that it never starves. */
const bulkShare = 0.25;

export class UnitTurns {
	/** Virtual time of each tenant who has something waiting: seconds of audio taken. */
	readonly #taken = new Map<string, number>();
	#bulkCredit = 0;

	/** The unit of `waiting`, which is in order of arrival, whose turn it is. Changes nothing. */
	next<U extends Unit>(waiting: readonly U[]): U | undefined {
		const bulk = this.#firstOf(waiting, 'bulk');
		const other = this.#firstOf(waiting, 'interactive') ?? this.#firstOf(waiting, 'normal');
		if (bulk === undefined || other === undefined) return other ?? bulk;
		return this.#bulkCredit >= bulk.seconds ? bulk : other;
	}

	/** `unit` is being worked on; `waiting`: what still waits, `unit` left out. */
	took(unit: Unit, waiting: readonly Unit[]): void {
		const least = this.#least(waiting);
		// Who comes back after a pause has saved nothing up.
		const before = Math.max(this.#taken.get(unit.tenant) ?? least, least);
		this.#taken.set(unit.tenant, before + unit.seconds);
		const waits = new Set(waiting.map(({ tenant }) => tenant));
		if (waits.size === 0) this.#taken.clear();
		const isBulk = unit.class === 'bulk';
		if (isBulk) this.#bulkCredit = Math.max(0, this.#bulkCredit - unit.seconds);
		else if (waiting.some((other) => other.class === 'bulk'))
			this.#bulkCredit += (unit.seconds * bulkShare) / (1 - bulkShare);
		else this.#bulkCredit = 0;
	}

	#firstOf<U extends Unit>(waiting: readonly U[], kind: Unit['class']): U | undefined {
		let first: U | undefined;
		let least = Number.POSITIVE_INFINITY;
		for (const unit of waiting) {
			if (unit.class !== kind) continue;
			const taken = this.#taken.get(unit.tenant) ?? 0;
			if (taken >= least) continue;
			least = taken;
			first = unit;
		}
		return first;
	}

	#least(waiting: readonly Unit[]): number {
		const taken = waiting.map(({ tenant }) => this.#taken.get(tenant) ?? 0);
		return taken.length === 0 ? 0 : Math.min(...taken);
	}
}
