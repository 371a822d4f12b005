/** The storage of webhooks, and the choice of the one server that delivers among those that share it. */

import type { DeliveryStore } from './deliveries.js';
import type { EndpointStore } from './endpoints.js';

/** The leadership that allows a server to deliver. */
export interface DeliveryLead {
	/** Aborts when another server has become the leader. */
	readonly lost: AbortSignal;
	release(): Promise<void>;
}

export interface WebhookStorage {
	readonly endpoints: EndpointStore;
	readonly deliveries: DeliveryStore;
	/** Name of the storage, for messages. */
	readonly place: string;
	/** Whether anything was ever stored; if not, no leader is needed yet. */
	isUsed(): Promise<boolean>;
	/** Waits until this server is the leader. Rejects when `signal` aborts. */
	lead(signal: AbortSignal): Promise<DeliveryLead>;
	/** Calls `kept` with the id of each delivery that another server has stored, as far as notifications arrive,
	 * until the returned function is called. */
	listen(kept: (id: string) => void): Promise<() => void>;
}
