/**
 * Stores deliveries on disk. Pending ones are in `pending/`, one file each; finished ones are in `finished/`,
 * without body and secret.
 */

import { createHash } from 'node:crypto';
import { readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { removeUnfinished } from '../../core/disk/replace-file.js';
import {
	asDelivery,
	type Delivery,
	type DeliveryStore,
	deliveryKeptMs,
	isDeliveryId,
} from '../deliveries.js';
import { readRecord, recordNames, writeRecord } from './records.js';

export class FolderDeliveries implements DeliveryStore {
	readonly #pending: string;
	readonly #finished: string;

	/** `folder`: created when the first delivery is stored. */
	constructor(folder: string) {
		this.#pending = path.join(folder, 'pending');
		this.#finished = path.join(folder, 'finished');
	}

	/** Whether it is stored already, pending or finished. */
	async has(delivery: Delivery): Promise<boolean> {
		const found = await Promise.all(
			[this.#pendingFile(delivery.id), this.#finishedFile(delivery)].map((file) => readRecord(file)),
		);
		return found.some((record) => record !== undefined);
	}

	/** Stores or replaces it; resolves once it is on disk. Throws the system's error. */
	async keep(delivery: Delivery): Promise<void> {
		if (delivery.state === 'pending') {
			await writeRecord(this.#pendingFile(delivery.id), delivery);
			return;
		}
		await writeRecord(this.#finishedFile(delivery), delivery);
		await rm(this.#pendingFile(delivery.id), { force: true });
	}

	/** Ids of pending deliveries, the oldest first. */
	async pendingIds(): Promise<string[]> {
		return (await recordNames(this.#pending)).map(idOf).filter((id) => isDeliveryId(id));
	}

	/** undefined if it is not pending any more. */
	async pending(id: string): Promise<Delivery | undefined> {
		const found = asDelivery(await readRecord(this.#pendingFile(id)));
		if (found === undefined) return undefined;
		// The server was killed after it wrote the result, and before it removed this file.
		if ((await readRecord(this.#finishedFile(found))) === undefined) return found;
		await rm(this.#pendingFile(id), { force: true });
		return undefined;
	}

	/** Deliveries of one owner, the newest first. */
	async *list(owner: string): AsyncGenerator<Delivery> {
		const folder = this.#folderOf(owner);
		const names = [...(await recordNames(this.#pending)), ...(await recordNames(folder))];
		for (const id of [...new Set(names.map(idOf))].sort().reverse()) {
			if (!isDeliveryId(id)) continue;
			const found =
				asDelivery(await readRecord(path.join(folder, `${id}.json`))) ??
				asDelivery(await readRecord(this.#pendingFile(id)));
			if (found?.owner === owner) yield found;
		}
	}

	/** Removes deliveries that finished more than a week ago, and partial files of killed servers. */
	async sweep(nowMs: number): Promise<void> {
		const owners = await readdir(this.#finished).catch(() => []);
		await removeUnfinished(this.#pending, nowMs);
		for (const folder of owners.map((name) => path.join(this.#finished, name))) {
			await removeUnfinished(folder, nowMs);
			for (const name of await recordNames(folder)) {
				const file = path.join(folder, name);
				// Ids sort by time of the event, and a delivery cannot finish before its event.
				if (Number.parseInt(idOf(name).slice(4, 12), 16) * 1000 > nowMs - deliveryKeptMs) break;
				const { mtimeMs } = await stat(file);
				if (mtimeMs < nowMs - deliveryKeptMs) await rm(file, { force: true });
			}
		}
	}

	#pendingFile(id: string): string {
		return path.join(this.#pending, `${id}.json`);
	}

	#finishedFile({ id, owner }: Delivery): string {
		return path.join(this.#folderOf(owner), `${id}.json`);
	}

	#folderOf(owner: string): string {
		return path.join(this.#finished, createHash('sha256').update(owner).digest('hex').slice(0, 32));
	}
}

const idOf = (name: string): string => name.replace(/\.json$/, '');
