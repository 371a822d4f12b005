/** Fair scheduling of units: by class, then by the tenant with the least audio so far, then in order of arrival. */

import { bulkShare } from './job.js';
import type { Unit } from './queue.js';

export class UnitTurns {
	/** Virtual time of each tenant with waiting units: seconds of audio leased. */
	readonly #taken = new Map<string, number>();
	#bulkCredit = 0;

	/** The next unit to lease. `waiting`: in order of arrival. Has no side effects. */
	next<U extends Unit>(waiting: readonly U[]): U | undefined {
		const bulk = this.#firstOf(waiting, 'bulk');
		const other = this.#firstOf(waiting, 'interactive') ?? this.#firstOf(waiting, 'normal');
		if (bulk === undefined || other === undefined) return other ?? bulk;
		return this.#bulkCredit >= bulk.seconds ? bulk : other;
	}

	/** Records that `unit` was leased. `waiting`: the units that still wait, without `unit`. */
	took(unit: Unit, waiting: readonly Unit[]): void {
		const minTaken = this.#least(waiting);
		// A tenant that returns after a pause has saved up no credit.
		const before = Math.max(this.#taken.get(unit.tenant) ?? minTaken, minTaken);
		this.#taken.set(unit.tenant, before + unit.seconds);
		const waitingTenants = new Set(waiting.map(({ tenant }) => tenant));
		if (waitingTenants.size === 0) this.#taken.clear();
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
