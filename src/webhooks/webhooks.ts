/**
 * Webhooks: endpoints, and deliveries that survive a crash. Several servers may share the storage: all of them
 * store events, and one of them delivers.
 */

import { randomBytes } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { type Clock, systemClock } from '../core/clock.js';
import { EarshotError, reasonOf } from '../core/errors.js';
import { type Log, silentLog } from '../core/log.js';
import type { Metrics } from '../core/metrics.js';
import { AttemptLimiter } from './attempt-limiter.js';
import { type Delivery, type DeliveryStore, newDelivery } from './deliveries.js';
import { DeliveryAttempts } from './delivery-attempts.js';
import { Destinations, type Resolve } from './destination.js';
import { Dispatcher } from './dispatcher.js';
import {
	activeSecrets,
	type EndpointFields,
	type EndpointStore,
	newEndpoint,
	type WebhookEndpoint,
} from './endpoints.js';
import {
	eventBody,
	type WebhookEvent,
	type WebhookEventType,
	type WebhookOfJob,
	type WebhookSender,
} from './event.js';
import { type Post, poster } from './post.js';
import { checkedSecret } from './secret.js';
import type { WebhookStorage } from './storage.js';

export interface WebhooksOptions {
	readonly storage: WebhookStorage;
	readonly version: string;
	/** HOST or HOST:PORT that may be used although they are private or have no https. */
	readonly allowed?: readonly string[];
	readonly metrics: Pick<Metrics, 'webhookTried' | 'webhookFinished' | 'webhooksPending' | 'onScrape'>;
	readonly log?: Log;
	readonly clock?: Clock;
	/** Unix ms. */
	readonly now?: () => number;
	readonly random?: () => number;
	readonly resolve?: Resolve;
	readonly post?: Post;
	/** Called when a delivery has failed for good. */
	readonly onGivenUp?: (delivery: Delivery) => void | Promise<void>;
}

/** Interval of the scan for deliveries that other servers have stored, since notifications may be missing. */
const rescanMs = 60_000;
const sweepMs = 3_600_000;
/** Time that running attempts get on close. */
const closeGraceMs = 500;

export class Webhooks implements WebhookSender {
	readonly endpoints: EndpointStore;
	readonly deliveries: DeliveryStore;
	readonly destinations: Destinations;
	readonly now: () => number;
	readonly #storage: WebhookStorage;
	readonly #log: Log;
	readonly #clock: Clock;
	readonly #limiter = new AttemptLimiter();
	readonly #attempts: DeliveryAttempts;
	readonly #dispatcher: Dispatcher;
	/** Writes in progress, by id of the delivery. */
	readonly #writing = new Map<string, Promise<void>>();
	readonly #closing = new AbortController();
	readonly #aborting = new AbortController();
	#leading: Promise<void> | undefined;
	#isLeader = false;

	constructor(options: WebhooksOptions) {
		const { storage, version, metrics, clock = systemClock, log = silentLog, now = Date.now } = options;
		this.#storage = storage;
		this.#log = log;
		this.#clock = clock;
		this.now = now;
		this.endpoints = storage.endpoints;
		this.deliveries = storage.deliveries;
		const resolve = options.resolve ?? ((hostname) => lookup(hostname, { all: true }));
		this.destinations = new Destinations(options.allowed ?? [], resolve);
		const userAgent = `earshot/${version}`;
		this.#attempts = new DeliveryAttempts({
			deliveries: this.deliveries,
			endpoints: this.endpoints,
			post: options.post ?? poster({ destinations: this.destinations, clock, now, userAgent }),
			clock,
			now,
			random: options.random ?? Math.random,
			log,
			metrics,
			onGivenUp: options.onGivenUp ?? (() => {}),
			signal: this.#aborting.signal,
		});
		const deliver = (id: string): Promise<number | null> => this.#attempts.deliver(id);
		this.#dispatcher = new Dispatcher({ limiter: this.#limiter, deliver, clock, now });
		metrics.onScrape(() => metrics.webhooksPending(this.#dispatcher.size));
	}

	/** Resumes the deliveries that an earlier server has left. */
	async start(): Promise<void> {
		if (await this.#storage.isUsed()) this.#lead();
	}

	/** Stores a new endpoint. Throws `invalid_request` if the owner has too many. */
	async addEndpoint(owner: string, fields: Omit<EndpointFields, 'isDisabled'>): Promise<WebhookEndpoint> {
		const nowSeconds = this.now() / 1000;
		return await this.endpoints.add(owner, (others) => newEndpoint(owner, fields, { others, nowSeconds }));
	}

	/** Running attempts get 500 ms to finish. Undelivered events stay in the storage. */
	async close(): Promise<void> {
		this.#closing.abort();
		const stop = this.#clock.after(closeGraceMs, () => this.#aborting.abort());
		await this.#dispatcher.stop();
		await this.idle();
		await this.#leading;
		stop();
	}

	/** Resolves when nothing is being written or sent. */
	async idle(): Promise<void> {
		await Promise.allSettled(this.#writing.values());
		await this.#dispatcher.idle();
	}

	check({ url, secret }: WebhookOfJob): void {
		this.destinations.check(url, 'webhook_url');
		if (secret !== undefined) checkedSecret(secret, 'webhook_secret');
	}

	async send(event: WebhookEvent): Promise<void> {
		const { webhookUrl: url, webhookSecret: secret = null, owner, type } = event;
		const endpoints = (await this.endpoints.list(owner)).filter(
			({ eventTypes, isDisabled }) => !isDisabled && eventTypes.includes(type),
		);
		const receivers = [
			...(url === undefined ? [] : [{ endpointId: null, url, secret }]),
			...endpoints.map((endpoint) => ({ endpointId: endpoint.id, url: endpoint.url, secret: null })),
		];
		await Promise.all(receivers.map((to) => this.#record(newDelivery(event, to, this.now()))));
	}

	/** Sends a sample event immediately, without retries. Resolves with the status of the response. Throws
	 * `webhook_failed`, and `overloaded` if too many attempts of this owner or to this host are running. */
	async test(endpoint: WebhookEndpoint, type: WebhookEventType): Promise<number> {
		const { url, owner } = endpoint;
		const release = this.#limiter.take({ place: new URL(url).host, owner });
		if (release === undefined)
			throw new EarshotError('overloaded', 'Deliveries to this host are running; try again later');
		try {
			const nowSeconds = this.now() / 1000;
			const jobId = `trj_test${randomBytes(12).toString('hex')}`;
			const body = eventBody({ type, jobId, owner, createdAt: nowSeconds });
			const secrets = activeSecrets(endpoint, nowSeconds);
			const { id } = JSON.parse(body) as { readonly id: string };
			const { result } = await this.#attempts.send({ url, secrets }, id, body);
			if (result.status !== null) return result.status;
			throw new EarshotError('webhook_failed', `The endpoint gave no answer (${result.error})`);
		} finally {
			release();
		}
	}

	#record(delivery: Delivery): Promise<void> {
		const { id } = delivery;
		const already = this.#writing.get(id);
		if (already !== undefined) return already;
		const written = this.#write(delivery).finally(() => this.#writing.delete(id));
		this.#writing.set(id, written);
		return written;
	}

	async #write(delivery: Delivery): Promise<void> {
		if (this.#dispatcher.has(delivery.id) || (await this.deliveries.has(delivery))) return;
		await this.deliveries.keep(delivery);
		if (this.#isLeader) this.#add(delivery);
		else this.#lead();
	}

	#add({ id, place, owner, nextAtMs }: Delivery): void {
		this.#dispatcher.add({ id, place, owner, nextAtMs: nextAtMs ?? this.now() });
	}

	/** Competes for leadership, and delivers while this server is the leader. */
	#lead(): void {
		if (this.#closing.signal.aborted) return;
		this.#leading ??= this.#leadUntilClosed()
			.catch((thrown: unknown) => {
				if (this.#closing.signal.aborted) return;
				const { place } = this.#storage;
				this.#log.error(
					{ reason: reasonOf(thrown), place },
					'webhooks are delayed: their storage cannot be used',
				);
			})
			.finally(() => {
				this.#leading = undefined;
			});
	}

	async #leadUntilClosed(): Promise<void> {
		const { signal } = this.#closing;
		while (!signal.aborted) {
			const lead = await this.#storage.lead(signal);
			const ended = AbortSignal.any([signal, lead.lost]);
			const stops = [
				await this.#storage.listen((id) => void this.#loadPending([id])),
				this.#clock.every(rescanMs, () => void this.#loadPending()),
				this.#clock.every(sweepMs, () => void this.#sweep()),
			];
			try {
				this.#isLeader = true;
				if (!signal.aborted) this.#dispatcher.start();
				await this.#loadPending();
				await this.#sweep();
				await untilAborted(ended);
			} finally {
				this.#isLeader = false;
				for (const stop of stops) stop();
				await this.#dispatcher.stop();
				await lead.release();
			}
		}
	}

	/** Schedules stored deliveries that are not scheduled yet. `ids`: of these deliveries; default: of all pending
	 * ones. */
	async #loadPending(ids?: readonly string[]): Promise<void> {
		try {
			for (const id of ids ?? (await this.deliveries.pendingIds())) {
				if (!this.#isLeader || this.#dispatcher.has(id)) continue;
				const delivery = await this.deliveries.pending(id);
				if (delivery !== undefined && this.#isLeader) this.#add(delivery);
			}
		} catch (thrown) {
			this.#log.error({ reason: reasonOf(thrown) }, 'pending webhooks cannot be read');
		}
	}

	async #sweep(): Promise<void> {
		await this.deliveries.sweep(this.now()).catch((thrown: unknown) => {
			this.#log.warn({ reason: reasonOf(thrown) }, 'old webhook deliveries cannot be removed');
		});
	}
}

function untilAborted(signal: AbortSignal): Promise<void> {
	return new Promise((resolve) => {
		if (signal.aborted) resolve();
		signal.addEventListener('abort', () => resolve(), { once: true });
	});
}
