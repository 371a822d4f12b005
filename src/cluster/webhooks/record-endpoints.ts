/** Stores webhook endpoints in the records of a cluster. */

import {
	asEndpoint,
	byAge,
	type EndpointStore,
	isEndpointId,
	type WebhookEndpoint,
} from '../../webhooks/endpoints.js';
import { OneAtATime } from '../../webhooks/one-at-a-time.js';
import { objectIn } from '../records/objects.js';
import { changeRecord, type Records } from '../records/records.js';

const recordOf = (id: string): string => `endpoint:${id}`;
/** Id of the owner's last new endpoint; its version shows whether another gateway has added one in between. */
const newestOf = (owner: string): string => `endpoint-newest:${owner}`;
const indexOf = (owner: string): string => `endpoints-of:${owner}`;

/** More than one owner can have. */
const maxInIndex = 1000;

export class RecordEndpoints implements EndpointStore {
	readonly #records: Records;
	/** Requests of this gateway wait for each other, so that few changes have to be tried again. */
	readonly #changes = new OneAtATime();

	constructor(records: Records) {
		this.#records = records;
	}

	async list(owner: string): Promise<WebhookEndpoint[]> {
		const page = await this.#records.page(indexOf(owner), { limit: maxInIndex, order: 'desc' });
		const found = await this.#records.get(page.map(({ member }) => recordOf(member)));
		return byAge(found.flatMap((record) => asEndpoint(objectIn(record)) ?? []));
	}

	async find(id: string): Promise<WebhookEndpoint | undefined> {
		if (!isEndpointId(id)) return undefined;
		const [record] = await this.#records.get([recordOf(id)]);
		return asEndpoint(objectIn(record));
	}

	async add(owner: string, make: (others: number) => WebhookEndpoint): Promise<WebhookEndpoint> {
		const newest = newestOf(owner);
		const added = await this.#changes.run(() =>
			changeRecord(this.#records, newest, async () => {
				const [others = 0] = await this.#records.sizes([indexOf(owner)]);
				const endpoint = make(others);
				const { id, createdAt } = endpoint;
				return {
					commit: {
						put: { [newest]: id, [recordOf(id)]: JSON.stringify(endpoint) },
						index: [{ name: indexOf(owner), member: id, score: createdAt }],
					},
					value: endpoint,
				};
			}),
		);
		return added as WebhookEndpoint;
	}

	async change(
		id: string,
		change: (found: WebhookEndpoint) => WebhookEndpoint,
	): Promise<WebhookEndpoint | undefined> {
		if (!isEndpointId(id)) return undefined;
		const key = recordOf(id);
		let unchanged: WebhookEndpoint | undefined;
		const changed = await this.#changes.run(() =>
			changeRecord(this.#records, key, (record) => {
				const found = asEndpoint(objectIn(record));
				const wanted = found && change(found);
				unchanged = wanted;
				if (wanted === undefined || wanted === found) return undefined;
				return { commit: { put: { [key]: JSON.stringify(wanted) } }, value: wanted };
			}),
		);
		return changed ?? unchanged;
	}

	async remove({ id, owner }: WebhookEndpoint): Promise<void> {
		await this.#records.commit({
			remove: [recordOf(id)],
			index: [{ name: indexOf(owner), member: id, score: null }],
		});
	}
}
