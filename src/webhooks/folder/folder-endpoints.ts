/** Stores endpoints on disk, each in its own file that only this user can read. */

import { rm } from 'node:fs/promises';
import path from 'node:path';
import { asEndpoint, byAge, type EndpointStore, isEndpointId, type WebhookEndpoint } from '../endpoints.js';
import { OneAtATime } from '../one-at-a-time.js';
import { readRecord, recordNames, writeRecord } from './records.js';

export class FolderEndpoints implements EndpointStore {
	readonly #folder: string;
	/** Of this process: another server with the same folder may still overwrite a change of the same moment. */
	readonly #changes = new OneAtATime();

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

	async add(owner: string, make: (others: number) => WebhookEndpoint): Promise<WebhookEndpoint> {
		return await this.#changes.run(async () => {
			const endpoint = make((await this.list(owner)).length);
			await writeRecord(this.#fileOf(endpoint.id), endpoint);
			return endpoint;
		});
	}

	async change(
		id: string,
		change: (found: WebhookEndpoint) => WebhookEndpoint,
	): Promise<WebhookEndpoint | undefined> {
		return await this.#changes.run(async () => {
			const found = await this.find(id);
			const changed = found && change(found);
			if (changed && changed !== found) await writeRecord(this.#fileOf(id), changed);
			return changed;
		});
	}

	async remove({ id }: WebhookEndpoint): Promise<void> {
		await this.#changes.run(() => rm(this.#fileOf(id), { force: true }));
	}

	#fileOf(id: string): string {
		return path.join(this.#folder, `${id}.json`);
	}
}
