/** Makes one delivery attempt: finds the receiver and its secrets, sends the message and records the outcome. */

import type { Clock } from '../core/clock.js';
import { reasonOf } from '../core/errors.js';
import type { Log } from '../core/log.js';
import type { Metrics } from '../core/metrics.js';
import { type Delivery, type DeliveryState, type DeliveryStore, finishedDelivery } from './deliveries.js';
import { activeSecrets, type EndpointStore, updated, type WebhookEndpoint } from './endpoints.js';
import type { Post, PostResult } from './post.js';
import { type NextStep, nextStep } from './schedule.js';
import { signedHeaders } from './sign.js';

export interface DeliveryAttemptsOptions {
	readonly deliveries: DeliveryStore;
	readonly endpoints: EndpointStore;
	readonly post: Post;
	readonly clock: Clock;
	/** Unix ms. */
	readonly now: () => number;
	/** A number from 0 (included) to 1 (excluded). */
	readonly random: () => number;
	readonly log: Log;
	readonly metrics: Pick<Metrics, 'webhookTried' | 'webhookFinished'>;
	/** Called when a delivery has failed for good. */
	readonly onGivenUp: (delivery: Delivery) => void | Promise<void>;
	/** Aborts running attempts, which are then not recorded. */
	readonly signal: AbortSignal;
}

interface Receiver {
	readonly url: string;
	readonly secrets: readonly string[];
	readonly endpoint: WebhookEndpoint | undefined;
}

/** Delay before a failed write is repeated. */
const rewriteMs = 60_000;

export class DeliveryAttempts {
	readonly #options: DeliveryAttemptsOptions;
	/** Outcomes that could not be written to disk, so that these deliveries are not sent again. */
	readonly #unwritten = new Map<string, Delivery>();

	constructor(options: DeliveryAttemptsOptions) {
		this.#options = options;
	}

	/** Makes one attempt. Resolves with the time of the next one, Unix ms; null if there is none. Never rejects. */
	async deliver(id: string): Promise<number | null> {
		const { log, now } = this.#options;
		try {
			const unwritten = this.#unwritten.get(id);
			return await this.#keep(unwritten ?? (await this.#tryOnce(id)));
		} catch (thrown) {
			log.error(
				{ delivery: id, reason: reasonOf(thrown) },
				'a webhook is delayed: it cannot be read or stored',
			);
			return now() + rewriteMs;
		}
	}

	/** Sends a message, signed for its receiver. */
	async send(
		{ url, secrets }: Omit<Receiver, 'endpoint'>,
		id: string,
		body: string,
	): Promise<{ readonly result: PostResult; readonly ms: number }> {
		const { post, clock, now, signal } = this.#options;
		const timestamp = Math.floor(now() / 1000);
		const startedMs = clock.now();
		const result = await post({
			url,
			headers: signedHeaders({ id, timestamp, body }, secrets),
			body,
			signal,
		});
		return { result, ms: Math.round(clock.now() - startedMs) };
	}

	async #tryOnce(id: string): Promise<Delivery | undefined> {
		const { deliveries, now, random, signal, metrics } = this.#options;
		const delivery = await deliveries.pending(id);
		if (!delivery?.message) return undefined;
		const receiver = await this.#receiverOf(delivery);
		if (receiver === undefined) return this.#end(delivery, 'cancelled');
		const at = Math.floor(now() / 1000);
		const { result, ms } = await this.send(receiver, delivery.eventId, delivery.message.body);
		if (signal.aborted) return undefined;
		const { status, error } = result;
		const tries = [...delivery.tries, { at, ms, status, error }];
		const step = nextStep(tries.length, result, random());
		metrics.webhookTried(step.type === 'delivered' ? 'delivered' : 'failed', ms / 1000);
		return await this.#after({ ...delivery, tries }, receiver, step);
	}

	async #after(delivery: Delivery, { endpoint }: Receiver, step: NextStep): Promise<Delivery> {
		const { now } = this.#options;
		switch (step.type) {
			case 'delivered':
				return this.#end(delivery, 'delivered');
			case 'retry':
				return { ...delivery, nextAtMs: now() + step.afterMs };
			case 'failed':
				if (step.isGone && endpoint !== undefined) await this.#disable(endpoint);
				await this.#giveUp(delivery);
				return this.#end(delivery, 'failed');
		}
	}

	async #giveUp(delivery: Delivery): Promise<void> {
		const { onGivenUp, log } = this.#options;
		try {
			await onGivenUp(delivery);
		} catch (thrown) {
			log.error(
				{ job: delivery.jobId, reason: reasonOf(thrown) },
				'the failure of a webhook could not be recorded in its job',
			);
		}
	}

	/** undefined if the endpoint was deleted or disabled. */
	async #receiverOf({ endpointId, message }: Delivery): Promise<Receiver | undefined> {
		const { endpoints, now } = this.#options;
		if (endpointId === null) {
			const { url = '', secret = null } = message ?? {};
			return { url, secrets: secret === null ? [] : [secret], endpoint: undefined };
		}
		const endpoint = await endpoints.find(endpointId);
		if (endpoint === undefined || endpoint.isDisabled) return undefined;
		return { url: endpoint.url, secrets: activeSecrets(endpoint, now() / 1000), endpoint };
	}

	/** Disables the endpoint, unless its URL has been changed in the meantime. */
	async #disable({ id, url, name }: WebhookEndpoint): Promise<void> {
		const { endpoints, now, log } = this.#options;
		const endpoint = await endpoints.change(id, (found) =>
			found.url === url ? updated(found, { isDisabled: true }, now() / 1000) : found,
		);
		if (endpoint?.url !== url) return;
		log.warn({ endpoint: id, name }, 'a webhook endpoint answered 410 Gone, and was disabled');
	}

	#end(delivery: Delivery, state: Exclude<DeliveryState, 'pending'>): Delivery {
		const { log, metrics } = this.#options;
		const { id, jobId, place, tries } = delivery;
		const { status = null, error = null } = tries.at(-1) ?? {};
		const fields = { delivery: id, job: jobId, place, tries: tries.length, status, error };
		if (state === 'failed') log.warn(fields, 'a webhook could not be delivered; no more attempts are made');
		else log.debug(fields, `webhook ${state}`);
		metrics.webhookFinished(state);
		return finishedDelivery(delivery, state);
	}

	async #keep(delivery: Delivery | undefined): Promise<number | null> {
		if (delivery === undefined) return null;
		const { deliveries } = this.#options;
		this.#unwritten.set(delivery.id, delivery);
		await deliveries.keep(delivery);
		this.#unwritten.delete(delivery.id);
		return delivery.nextAtMs;
	}
}
