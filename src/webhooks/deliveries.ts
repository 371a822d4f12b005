/** Deliveries: each is one event for one receiver, with its state and its attempts. */

import { createHash } from 'node:crypto';
import { eventBody, eventId, type WebhookEvent, type WebhookEventType } from './event.js';

export type DeliveryState = 'pending' | 'delivered' | 'failed' | 'cancelled';

export interface DeliveryTry {
	/** When it began, Unix seconds. */
	readonly at: number;
	/** How long it took, ms. */
	readonly ms: number;
	/** HTTP status; null = no response. */
	readonly status: number | null;
	/** Why there was no response, as a code; null if there was one. */
	readonly error: string | null;
}

/** The delivery of one event to one receiver. */
export interface Delivery {
	/** `whd_` and 32 hexadecimal digits; ids of later events sort after earlier ones. */
	readonly id: string;
	/** Id of the event, by which receivers detect duplicates. */
	readonly eventId: string;
	readonly type: WebhookEventType;
	readonly jobId: string;
	readonly owner: string;
	/** Time of the event, Unix seconds. */
	readonly createdAt: number;
	/** null: the URL is that of the job itself. */
	readonly endpointId: string | null;
	/** Host and port, for messages: the rest of the URL may be secret. */
	readonly place: string;
	readonly state: DeliveryState;
	/** In chronological order. */
	readonly tries: readonly DeliveryTry[];
	/** Time of the next attempt, Unix ms; null if finished. */
	readonly nextAtMs: number | null;
	/** null once it is no longer pending. */
	readonly message: DeliveryMessage | null;
}

export interface DeliveryMessage {
	/** Only used for a job's own URL: for an endpoint, its URL at the time of the attempt is used. */
	readonly url: string;
	/** The secret of the job's own URL, if it has one. */
	readonly secret: string | null;
	readonly body: string;
}

/** How long finished deliveries are kept. */
export const deliveryKeptMs = 7 * 24 * 3_600_000;

export const isDeliveryId = (text: string): boolean => /^whd_[0-9a-f]{32}$/.test(text);

/** A new pending delivery of an event to one receiver. Equal arguments give the same id. Pure. */
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

/** The finished delivery, without URL, secret and body. Pure. */
export function finishedDelivery(delivery: Delivery, state: Exclude<DeliveryState, 'pending'>): Delivery {
	return { ...delivery, state, nextAtMs: null, message: null };
}

/** Persistent storage of deliveries, so that none is lost when a server is killed. Several servers may share it,
 * and each may deliver what another has stored. All methods throw the storage's errors. */
export interface DeliveryStore {
	/** Whether it is stored already, pending or finished. */
	has(delivery: Delivery): Promise<boolean>;
	/** Stores or replaces it; resolves once it is durable. */
	keep(delivery: Delivery): Promise<void>;
	/** Ids of pending deliveries, the oldest first. */
	pendingIds(): Promise<readonly string[]>;
	/** undefined if it is not pending any more. */
	pending(id: string): Promise<Delivery | undefined>;
	/** Deliveries of one owner, the newest first. */
	list(owner: string): AsyncIterable<Delivery>;
	/** Removes deliveries that finished more than a week ago. */
	sweep(nowMs: number): Promise<void>;
}

/** Checks a value that was read; undefined if it is not a delivery. Pure. */
export function asDelivery(value: Record<string, unknown> | undefined): Delivery | undefined {
	const isOne =
		typeof value?.id === 'string' &&
		isDeliveryId(value.id) &&
		typeof value.owner === 'string' &&
		typeof value.state === 'string' &&
		Array.isArray(value.tries);
	return isOne ? (value as unknown as Delivery) : undefined;
}
