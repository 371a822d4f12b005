/** Deliveries of events, each to one receiver, with what has become of them. */

import { createHash } from 'node:crypto';
import { eventBody, eventId, type WebhookEvent, type WebhookEventType } from './event.js';

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

/** How long it is told what has become of one. */
export const deliveryKeptMs = 7 * 24 * 3_600_000;

export const isDeliveryId = (text: string): boolean => /^whd_[0-9a-f]{32}$/.test(text);

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

/** Where deliveries are kept, so that none is lost when a server is killed. Several servers may keep them in the same place:
 * those of another are as good as one's own. All throw what the place throws. */
export interface DeliveryStore {
	/** Whether it is kept already, pending or finished. */
	has(delivery: Delivery): Promise<boolean>;
	/** Keeps it as it is; resolves when it cannot be lost any more. */
	keep(delivery: Delivery): Promise<void>;
	/** Ids of what is to be delivered, the oldest first. */
	pendingIds(): Promise<readonly string[]>;
	/** undefined where it is not pending any more. */
	pending(id: string): Promise<Delivery | undefined>;
	/** Of one owner, the newest first. */
	list(owner: string): AsyncIterable<Delivery>;
	/** Removes what finished more than a week ago. */
	sweep(nowMs: number): Promise<void>;
}

/** What was read; undefined for what is no delivery. Pure. */
export function asDelivery(value: Record<string, unknown> | undefined): Delivery | undefined {
	const isOne =
		typeof value?.id === 'string' &&
		isDeliveryId(value.id) &&
		typeof value.owner === 'string' &&
		typeof value.state === 'string' &&
		Array.isArray(value.tries);
	return isOne ? (value as unknown as Delivery) : undefined;
}
