/** A transport in the memory of one process, with locks that run out by a clock of the test. */

import {
	lockMs,
	type QueueItem,
	type Transport,
	type UnitDelivery,
} from '../../../src/cluster/transport/transport.js';
import type { Clock } from '../../../src/core/clock.js';
import type { JobPriority } from '../../../src/jobs/job.js';

interface Held {
	readonly parcel: QueueItem;
	readonly order: number;
	notBefore: number;
	/** undefined: it waits. */
	lock: { readonly token: object; until: number } | undefined;
}

const classes: readonly JobPriority[] = ['interactive', 'normal', 'bulk'];

export class MemoryTransport implements Transport {
	readonly #clock: Pick<Clock, 'now'>;
	readonly #held = new Map<string, Held>();
	#order = 0;

	constructor(clock: Pick<Clock, 'now'>) {
		this.#clock = clock;
	}

	async add(parcel: QueueItem): Promise<void> {
		const key = `${parcel.jobId}-${parcel.part}`;
		if (!this.#held.has(key))
			this.#held.set(key, { parcel, order: this.#order++, notBefore: 0, lock: undefined });
	}

	async next(model: string): Promise<UnitDelivery | undefined> {
		const now = this.#clock.now();
		const rank = ({ parcel }: Held) => classes.indexOf(parcel.class);
		const [first] = [...this.#held]
			.filter(
				([, { parcel, notBefore, lock }]) =>
					parcel.model === model && notBefore <= now && (lock === undefined || lock.until < now),
			)
			.sort(([, a], [, b]) => rank(a) - rank(b) || a.order - b.order);
		if (!first) return undefined;
		const [key, held] = first;
		const token = {};
		held.lock = { token, until: now + lockMs };
		const isOurs = () => this.#held.get(key)?.lock?.token === token;
		return {
			jobId: held.parcel.jobId,
			part: held.parcel.part,
			extend: async () => {
				if (!isOurs()) return false;
				held.lock = { token, until: this.#clock.now() + lockMs };
				return true;
			},
			finish: async () => {
				if (isOurs()) this.#held.delete(key);
			},
			again: async (delayMs) => {
				if (!isOurs()) return;
				held.lock = undefined;
				held.notBefore = this.#clock.now() + delayMs;
			},
		};
	}

	async has({ jobId, part }: Pick<QueueItem, 'jobId' | 'part'>): Promise<boolean> {
		return this.#held.has(`${jobId}-${part}`);
	}

	async remove({ jobId, part }: Pick<QueueItem, 'jobId' | 'part'>): Promise<void> {
		const key = `${jobId}-${part}`;
		if (this.#held.get(key)?.lock === undefined) this.#held.delete(key);
	}

	/** As if the server had lost everything. */
	lose(): void {
		this.#held.clear();
	}

	async close(): Promise<void> {}
}
