/** Stores endpoints on disk, each in its own file that only this user can read. */

import { rm } from 'node:fs/promises';
import path from 'node:path';
import { asEndpoint, byAge, type EndpointStore, isEndpointId, type WebhookEndpoint } from '../endpoints.js';
import { readRecord, recordNames, writeRecord } from './records.js';

export class FolderEndpoints implements EndpointStore {
	readonly #folder: string;

	/** `folder`: created when the first endpoint is added. */
	constructor(folder: string) {
		this.#folder = folder;
	}

	async list(owner: string): Promise<WebhookEndpoint[]> {
		const names = await recordNames(this.#folder);
		const all = await Promise.all(names.map((name) => readRecord(path.join(this.#folder, name))));
		return byAge(all.flatMap((value) => asEndpoint(value) ?? []).filter((each) => each.owner === owner));
	}

	async find(id: string): Promise<WebhookEndpoint | undefined> {
		return isEndpointId(id) ? asEndpoint(await readRecord(this.#fileOf(id))) : undefined;
	}

	async replace(endpoint: WebhookEndpoint): Promise<void> {
		await writeRecord(this.#fileOf(endpoint.id), endpoint);
	}

	async remove({ id }: WebhookEndpoint): Promise<void> {
		await rm(this.#fileOf(id), { force: true });
	}

	#fileOf(id: string): string {
		return path.join(this.#folder, `${id}.json`);
	}
}
