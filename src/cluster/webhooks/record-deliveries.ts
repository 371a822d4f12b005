/** Stores webhook deliveries in the records of a cluster. */

import { asDelivery, type Delivery, type DeliveryStore, deliveryKeptMs } from '../../webhooks/deliveries.js';
import { objectIn } from '../records/objects.js';
import type { Records } from '../records/records.js';

/** A new delivery was stored; the message is its id. */
export const keptTopic = 'webhook';

const recordOf = (id: string): string => `delivery:${id}`;
const ofOwner = (owner: string): string => `deliveries-of:${owner}`;
/** Scores: time of the event, Unix seconds. */
const pendingIndex = 'deliveries-pending';
/** Scores: time when the delivery finished, ms. */
const finishedIndex = 'deliveries-finished';

const pageSize = 100;
const maxDeliveries = 1_000_000;

export class RecordDeliveries implements DeliveryStore {
	readonly #records: Records;

	constructor(records: Records) {
		this.#records = records;
	}

	async has({ id }: Delivery): Promise<boolean> {
		const [found] = await this.#records.get([recordOf(id)]);
		return found !== undefined;
	}

	async keep(delivery: Delivery): Promise<void> {
		const { id, owner, createdAt, state } = delivery;
		const isPending = state === 'pending';
		await this.#records.commit({
			put: { [recordOf(id)]: JSON.stringify(delivery) },
			index: [
				{ name: ofOwner(owner), member: id, score: createdAt },
				{ name: pendingIndex, member: id, score: isPending ? createdAt : null },
				{ name: finishedIndex, member: id, score: isPending ? null : 'now' },
			],
			// Published once, not after each attempt, which the delivering server knows about.
			publish: isPending && delivery.tries.length === 0 ? [{ topic: keptTopic, message: id }] : [],
		});
	}

	async pendingIds(): Promise<string[]> {
		const found = await this.#records.between(pendingIndex, 0, Number.MAX_SAFE_INTEGER, maxDeliveries);
		return found.map(({ member }) => member);
	}

	async pending(id: string): Promise<Delivery | undefined> {
		const [found] = await this.#read([id]);
		return found?.state === 'pending' ? found : undefined;
	}

	async *list(owner: string): AsyncGenerator<Delivery> {
		let after: string | undefined;
		for (;;) {
			const place = after === undefined ? {} : { after };
			const page = await this.#records.page(ofOwner(owner), { ...place, limit: pageSize, order: 'desc' });
			for (const found of await this.#read(page.map(({ member }) => member))) if (found) yield found;
			after = page.at(-1)?.member;
			if (page.length < pageSize) return;
		}
	}

	async sweep(nowMs: number): Promise<void> {
		const old = await this.#records.between(finishedIndex, 0, nowMs - deliveryKeptMs, maxDeliveries);
		for (const { member: id } of old) {
			const [found] = await this.#read([id]);
			await this.#records.commit({
				remove: [recordOf(id)],
				index: [finishedIndex, ...(found ? [ofOwner(found.owner)] : [])].map((name) => ({
					...{ name, member: id, score: null },
				})),
			});
		}
	}

	async #read(ids: readonly string[]): Promise<(Delivery | undefined)[]> {
		const found = await this.#records.get(ids.map(recordOf));
		return found.map((record) => asDelivery(objectIn(record)));
	}
}
