/**
 * Deliveries on disk. What is still to be delivered lies in `pending/`, a file each; what has come of the others in
 * `finished/`, without body and secret.
 */

import { createHash } from 'node:crypto';
import { readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { removeUnfinished } from '../../disk/replace-file.js';
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

	/** `folder`: made when the first delivery is kept. */
	constructor(folder: string) {
		this.#pending = path.join(folder, 'pending');
		this.#finished = path.join(folder, 'finished');
	}

	/** Whether it is kept already, pending or finished. */
	async has(delivery: Delivery): Promise<boolean> {
		const found = await Promise.all(
			[this.#pendingFile(delivery.id), this.#finishedFile(delivery)].map((file) => readRecord(file)),
		);
		return found.some((record) => record !== undefined);
	}

	/** Keeps it as it is; resolves when it is on disk. Throws the system's error. */
	async keep(delivery: Delivery): Promise<void> {
		if (delivery.state === 'pending') {
			await writeRecord(this.#pendingFile(delivery.id), delivery);
			return;
		}
		await writeRecord(this.#finishedFile(delivery), delivery);
		await rm(this.#pendingFile(delivery.id), { force: true });
	}

	/** Ids of what is to be delivered, the oldest first. */
	async pendingIds(): Promise<string[]> {
		return (await recordNames(this.#pending)).map(idOf).filter((id) => isDeliveryId(id));
	}

	/** undefined where it is not pending any more. */
	async pending(id: string): Promise<Delivery | undefined> {
		const found = asDelivery(await readRecord(this.#pendingFile(id)));
		if (found === undefined) return undefined;
		// Killed after the result was written, and before this file was removed.
		if ((await readRecord(this.#finishedFile(found))) === undefined) return found;
		await rm(this.#pendingFile(id), { force: true });
		return undefined;
	}

	/** Of one owner, the newest first. */
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

	/** Removes what finished more than a week ago, and what killed servers left half written. */
	async sweep(nowMs: number): Promise<void> {
		const owners = await readdir(this.#finished).catch(() => []);
		await removeUnfinished(this.#pending, nowMs);
		for (const folder of owners.map((name) => path.join(this.#finished, name))) {
			await removeUnfinished(folder, nowMs);
			for (const name of await recordNames(folder)) {
				const file = path.join(folder, name);
				// Nothing finishes before it has begun.
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
