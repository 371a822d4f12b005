/**
 * Fair queueing: chooses the unit that is released next. Each tenant has a line, and the tenant with the least
 * audio so far goes first, so that a tenant with a thousand recordings does not hold up the others. Interactive
 * units go before normal ones. Bulk units get `bulkShare` of the audio while others wait, and all of it otherwise.
 * Pure.
 */

import { bulkShare, type JobPriority } from '../../jobs/job.js';

export interface WaitingUnit {
	/** Unique among all units. */
	readonly key: string;
	readonly class: JobPriority;
	readonly tenant: string;
	/** Seconds of audio. */
	readonly seconds: number;
}

/** Seconds of bulk audio for each second of the other classes. */
const bulkPerOther = bulkShare / (1 - bulkShare);

export class FairLines {
	/** By class, then tenant, in the order of arrival. */
	readonly #lines: Record<JobPriority, Map<string, Map<string, WaitingUnit>>> = {
		interactive: new Map(),
		normal: new Map(),
		bulk: new Map(),
	};
	readonly #units = new Map<string, WaitingUnit>();
	/** Seconds of audio released for each tenant; a new tenant starts with the least of those that wait. */
	readonly #had = new Map<string, number>();
	/** Seconds of bulk audio that may be released before the other classes. */
	#bulkCredit = 0;

	get size(): number {
		return this.#units.size;
	}

	has(key: string): boolean {
		return this.#units.has(key);
	}

	keys(): Iterable<string> {
		return this.#units.keys();
	}

	tenants(): ReadonlySet<string> {
		return new Set(Object.values(this.#lines).flatMap((lines) => [...lines.keys()]));
	}

	add(unit: WaitingUnit): void {
		if (this.#units.has(unit.key)) return;
		this.#join(unit.tenant);
		const lines = this.#lines[unit.class];
		const line = lines.get(unit.tenant) ?? new Map<string, WaitingUnit>();
		lines.set(unit.tenant, line);
		line.set(unit.key, unit);
		this.#units.set(unit.key, unit);
	}

	remove(key: string): void {
		const unit = this.#units.get(key);
		if (unit === undefined) return;
		this.#units.delete(key);
		const lines = this.#lines[unit.class];
		const line = lines.get(unit.tenant);
		line?.delete(key);
		if (line?.size === 0) lines.delete(unit.tenant);
	}

	/** Removes and returns the next unit. `isFull`: whether a tenant has as many units under way as it may. */
	next(isFull: (tenant: string) => boolean = () => false): WaitingUnit | undefined {
		const classes: readonly JobPriority[] =
			this.#bulkCredit > 0 ? ['bulk', 'interactive', 'normal'] : ['interactive', 'normal', 'bulk'];
		for (const each of classes) {
			const unit = this.#first(each, isFull);
			if (unit === undefined) continue;
			this.remove(unit.key);
			this.#had.set(unit.tenant, (this.#had.get(unit.tenant) ?? 0) + unit.seconds);
			this.#credit(unit);
			return unit;
		}
		return undefined;
	}

	/** Refunds a unit that was taken, because its groups are queued and charged instead. */
	putBack({ class: priority, tenant, seconds }: Omit<WaitingUnit, 'key'>): void {
		const had = this.#had.get(tenant);
		if (had !== undefined) this.#had.set(tenant, Math.max(0, had - seconds));
		if (priority === 'bulk') this.#bulkCredit = Math.min(0, this.#bulkCredit + seconds);
		else
			this.#bulkCredit = Math.min(this.#bulkCredit, Math.max(0, this.#bulkCredit - bulkPerOther * seconds));
	}

	#first(each: JobPriority, isFull: (tenant: string) => boolean): WaitingUnit | undefined {
		let best: WaitingUnit | undefined;
		let minHad = Number.POSITIVE_INFINITY;
		for (const [tenant, line] of this.#lines[each]) {
			const had = this.#had.get(tenant) ?? 0;
			if (had >= minHad || isFull(tenant)) continue;
			minHad = had;
			best = line.values().next().value;
		}
		return best;
	}

	#credit(unit: WaitingUnit): void {
		if (this.#lines.bulk.size === 0 && unit.class !== 'bulk') this.#bulkCredit = 0;
		else if (unit.class === 'bulk') this.#bulkCredit -= unit.seconds;
		else this.#bulkCredit += bulkPerOther * unit.seconds;
		// Bulk audio released while nothing else waited creates no debt.
		this.#bulkCredit = Math.max(this.#bulkCredit, -unit.seconds);
	}

	/** A tenant without waiting units accumulates no credit: it rejoins with at least the least total of the others. */
	#join(tenant: string): void {
		let least = Number.POSITIVE_INFINITY;
		for (const lines of Object.values(this.#lines)) {
			if (lines.has(tenant)) return;
			for (const other of lines.keys()) least = Math.min(least, this.#had.get(other) ?? 0);
		}
		if (this.#units.size === 0) {
			this.#had.clear();
			return;
		}
		this.#had.set(tenant, Math.max(this.#had.get(tenant) ?? 0, least));
	}
}

/**
 * Units of one tenant that may be under way while others wait: its share of the slots, and two more that are ready
 * when a slot becomes free. `slots`: of all workers. Pure.
 */
export function maxReleasedUnits(slots: number, tenants: number): number {
	return Math.ceil(slots / Math.max(1, tenants)) + 2;
}
