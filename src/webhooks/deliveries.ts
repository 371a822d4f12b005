/**
 * Deliveries on disk, so that none is lost when the server is killed. What is still to be delivered lies in `pending/`, a
 * file each; what has come of the others in `finished/`, without body and secret, for a week. The files of another server
 * in the same folder are as good as one's own.
 */

import { createHash } from 'node:crypto';
import { readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { eventBody, eventId, type WebhookEvent, type WebhookEventType } from './event.js';
import { readRecord, recordNames, removeUnfinished, writeRecord } from './records.js';

export type DeliveryState = 'pending' | 'delivered' | 'failed' | 'cancelled';

export interface DeliveryTry {
	/** When it began, Unix seconds. */
	readonly at: number;
	/** How long it took, ms. */
	readonly ms: number;
	/** Of HTTP; null where there was no answer. */
	readonly status: number | null;
	/** Why there was none, as a code. */
	readonly error: string | null;
}

/** One event on its way to one receiver. */
export interface Delivery {
	/** `whd_` and 32 hexadecimal digits; later events have greater ones. */
	readonly id: string;
	/** What receivers tell repetitions by. */
	readonly eventId: string;
	readonly type: WebhookEventType;
	readonly jobId: string;
	readonly owner: string;
	/** Of the event, Unix seconds. */
	readonly createdAt: number;
	/** null: of the job itself. */
	readonly endpointId: string | null;
	/** Host and port, for messages: the rest of a URL may be secret. */
	readonly place: string;
	readonly state: DeliveryState;
	/** In order. */
	readonly tries: readonly DeliveryTry[];
	/** When it is tried next, Unix ms; null when it is finished. */
	readonly nextAtMs: number | null;
	/** What only a pending one has. */
	readonly message: DeliveryMessage | null;
}

export interface DeliveryMessage {
	/** Where an endpoint has it, that one counts, as it is at the time. */
	readonly url: string;
	/** Of a job that has one. */
	readonly secret: string | null;
	readonly body: string;
}

const idPattern = /^whd_[0-9a-f]{32}$/;
const keptMs = 7 * 24 * 3_600_000;

/** The delivery of an event to one receiver, yet to be tried. The same for the same. Pure. */
export function newDelivery(
	event: WebhookEvent,
	to: { readonly endpointId: string | null; readonly url: string; readonly secret: string | null },
	nowMs: number,
): Delivery {
	const { type, jobId, owner } = event;
	const createdAt = Math.floor(event.createdAt);
	const id = eventId(event);
	const receiver = createHash('sha256')
		.update(`${id} ${to.endpointId ?? 'job'}`)
		.digest('hex');
	return {
		id: `whd_${createdAt.toString(16).padStart(8, '0').slice(-8)}${receiver.slice(0, 24)}`,
		eventId: id,
		type,
		jobId,
		owner,
		createdAt,
		endpointId: to.endpointId,
		place: new URL(to.url).host,
		state: 'pending',
		tries: [],
		nextAtMs: nowMs,
		message: { url: to.url, secret: to.secret, body: eventBody(event) },
	};
}

/** Without what may be secret. Pure. */
export function finishedDelivery(delivery: Delivery, state: Exclude<DeliveryState, 'pending'>): Delivery {
	return { ...delivery, state, nextAtMs: null, message: null };
}

export class DeliveryStore {
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
		return (await recordNames(this.#pending)).map(idOf).filter((id) => idPattern.test(id));
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
			if (!idPattern.test(id)) continue;
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
				if (Number.parseInt(idOf(name).slice(4, 12), 16) * 1000 > nowMs - keptMs) break;
				const { mtimeMs } = await stat(file);
				if (mtimeMs < nowMs - keptMs) await rm(file, { force: true });
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

function asDelivery(value: Record<string, unknown> | undefined): Delivery | undefined {
	const isOne =
		typeof value?.id === 'string' &&
		idPattern.test(value.id) &&
		typeof value.owner === 'string' &&
		typeof value.state === 'string' &&
		Array.isArray(value.tries);
	return isOne ? (value as unknown as Delivery) : undefined;
}
