/** Stores webhook endpoints in the records of a cluster. */

import {
	asEndpoint,
	byAge,
	type EndpointStore,
	isEndpointId,
	type WebhookEndpoint,
} from '../../webhooks/endpoints.js';
import { objectIn } from '../records/objects.js';
import type { Records } from '../records/records.js';

const recordOf = (id: string): string => `endpoint:${id}`;
const indexOf = (owner: string): string => `endpoints-of:${owner}`;

/** More than one owner can have. */
const mostInIndex = 1000;

export class RecordEndpoints implements EndpointStore {
	readonly #records: Records;

	constructor(records: Records) {
		this.#records = records;
	}

	async list(owner: string): Promise<WebhookEndpoint[]> {
		const page = await this.#records.page(indexOf(owner), { limit: mostInIndex, order: 'desc' });
		const found = await this.#records.get(page.map(({ member }) => recordOf(member)));
		return byAge(found.flatMap((record) => asEndpoint(objectIn(record)) ?? []));
	}

	async find(id: string): Promise<WebhookEndpoint | undefined> {
		if (!isEndpointId(id)) return undefined;
		const [record] = await this.#records.get([recordOf(id)]);
		return asEndpoint(objectIn(record));
	}

	async replace(endpoint: WebhookEndpoint): Promise<void> {
		const { id, owner, createdAt } = endpoint;
		await this.#records.commit({
			put: { [recordOf(id)]: JSON.stringify(endpoint) },
			index: [{ name: indexOf(owner), member: id, score: createdAt }],
		});
	}

	async remove({ id, owner }: WebhookEndpoint): Promise<void> {
		await this.#records.commit({
			remove: [recordOf(id)],
			index: [{ name: indexOf(owner), member: id, score: null }],
		});
	}
}
