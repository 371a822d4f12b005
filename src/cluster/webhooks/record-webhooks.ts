/** Webhook storage that all gateways of a cluster share, in its records. */

import type { Clock } from '../../core/clock.js';
import { EarshotError } from '../../core/errors.js';
import type { DeliveryLead, WebhookStorage } from '../../webhooks/storage.js';
import type { Records } from '../records/records.js';
import { Role } from '../role.js';
import { keptTopic, RecordDeliveries } from './record-deliveries.js';
import { RecordEndpoints } from './record-endpoints.js';

export interface RecordWebhooksOptions {
	/** The caller closes them. */
	readonly records: Records;
	readonly clock: Clock;
	readonly onError: (error: unknown) => void;
}

/** Interval of the check that this process still holds the role. */
const pollIntervalMs = 1000;

export function recordWebhooks({ records, clock, onError }: RecordWebhooksOptions): WebhookStorage {
	return {
		endpoints: new RecordEndpoints(records),
		deliveries: new RecordDeliveries(records),
		place: 'the queue',
		// Another gateway may have stored deliveries, or may do so later.
		isUsed: async () => true,
		lead: (signal) => leadOf({ records, clock, onError }, signal),
		listen: (kept) => records.subscribe(keptTopic, kept),
	};
}

function leadOf(
	{ records, clock, onError }: RecordWebhooksOptions,
	signal: AbortSignal,
): Promise<DeliveryLead> {
	return new Promise((resolve, reject) => {
		const lost = new AbortController();
		let stop = (): void => {};
		const resign = async (): Promise<void> => {
			stop();
			await role.close();
		};
		const give = (): void => {
			void resign();
			reject(new EarshotError('cancelled', 'nothing is delivered any more'));
		};
		const role = new Role('deliveries', {
			records,
			clock,
			onError,
			onTaken: () => {
				signal.removeEventListener('abort', give);
				if (lost.signal.aborted) return;
				stop = clock.every(pollIntervalMs, () => {
					if (!role.isHeldHere) lost.abort(new EarshotError('conflict', 'another server delivers now'));
				});
				resolve({ lost: lost.signal, release: resign });
			},
		});
		if (signal.aborted) give();
		else signal.addEventListener('abort', give, { once: true });
	});
}
