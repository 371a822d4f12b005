/** Where webhooks are kept, and which of the servers that keep them there delivers. */

import type { DeliveryStore } from './deliveries.js';
import type { EndpointStore } from './endpoints.js';

/** The right to deliver. */
export interface DeliveryLead {
	/** Aborts when another server has it. */
	readonly lost: AbortSignal;
	release(): Promise<void>;
}

export interface WebhookStorage {
	readonly endpoints: EndpointStore;
	readonly deliveries: DeliveryStore;
	/** For messages. */
	readonly place: string;
	/** Whether anything was ever kept there; where there was not, nobody need lead. */
	isUsed(): Promise<boolean>;
	/** Waits until no other server leads. Rejects when `signal` aborts. */
	lead(signal: AbortSignal): Promise<DeliveryLead>;
	/** Calls `kept` with the id of each delivery that another server has kept, as far as that is heard of, until the returned
	 * function is called. */
	listen(kept: (id: string) => void): Promise<() => void>;
}
