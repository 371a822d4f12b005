/** Webhook endpoints: URLs that an owner has registered. */

import { randomBytes } from 'node:crypto';
import { EarshotError } from '../core/errors.js';
import type { WebhookEventType } from './event.js';
import { newSecret } from './secret.js';

export interface WebhookEndpoint {
	/** `whe_` and 32 hexadecimal digits. */
	readonly id: string;
	/** The owner: the digest of an API key, or `local`. */
	readonly owner: string;
	readonly name: string;
	readonly url: string;
	readonly eventTypes: readonly WebhookEventType[];
	/** The current one first. */
	readonly secrets: readonly EndpointSecret[];
	/** Unix seconds. */
	readonly createdAt: number;
	/** Time of the last change, Unix seconds. */
	readonly updatedAt: number;
	/** It receives no events: its owner disabled it, or it answered 410 Gone. */
	readonly isDisabled: boolean;
}

export interface EndpointSecret {
	readonly secret: string;
	/** Unix seconds until which a rotated secret still signs; null = the current one. */
	readonly until: number | null;
}

export type EndpointFields = Pick<WebhookEndpoint, 'name' | 'url' | 'eventTypes' | 'isDisabled'>;

const maxEndpoints = 100;
/** How long an earlier secret still signs after a rotation that keeps it. */
const overlapSeconds = 24 * 3600;
/** Limit of secrets, and so of signatures in a header. */
const maxSecrets = 4;

export const isEndpointId = (text: string): boolean => /^whe_[0-9a-f]{32}$/.test(text);

/** The secrets that sign now. Pure. */
export function activeSecrets({ secrets }: WebhookEndpoint, nowSeconds: number): string[] {
	return secrets.filter(({ until }) => until === null || until > nowSeconds).map(({ secret }) => secret);
}

/** The endpoint with a new secret. `keepOld`: the earlier ones still sign for 24 h. Pure. */
export function rotated(
	endpoint: WebhookEndpoint,
	{ keepOld, nowSeconds }: { readonly keepOld: boolean; readonly nowSeconds: number },
): WebhookEndpoint {
	const earlier = endpoint.secrets
		.map(({ secret, until }) => ({ secret, until: until ?? nowSeconds + overlapSeconds }))
		.filter(({ until }) => keepOld && until > nowSeconds);
	const secrets = [{ secret: newSecret(), until: null }, ...earlier].slice(0, maxSecrets);
	return { ...endpoint, secrets, updatedAt: Math.floor(nowSeconds) };
}

/** The endpoint with changed fields; the same object if nothing changes. Pure. */
export function updated(
	endpoint: WebhookEndpoint,
	fields: Partial<EndpointFields>,
	nowSeconds: number,
): WebhookEndpoint {
	const changed = { ...endpoint, ...fields };
	if (JSON.stringify(changed) === JSON.stringify(endpoint)) return endpoint;
	return { ...changed, updatedAt: Math.floor(nowSeconds) };
}

/** `others`: number of endpoints that the owner already has. Throws `invalid_request` if there are too many. */
export function newEndpoint(
	owner: string,
	fields: Omit<EndpointFields, 'isDisabled'>,
	{ others, nowSeconds }: { readonly others: number; readonly nowSeconds: number },
): WebhookEndpoint {
	if (others >= maxEndpoints)
		throw new EarshotError(
			'invalid_request',
			`This key has ${maxEndpoints} webhook endpoints, which is the maximum: delete one of them first`,
		);
	const now = Math.floor(nowSeconds);
	return {
		id: `whe_${randomBytes(16).toString('hex')}`,
		owner,
		...fields,
		secrets: [{ secret: newSecret(), until: null }],
		createdAt: now,
		updatedAt: now,
		isDisabled: false,
	};
}

/** The endpoints sorted, the newest first. Pure. */
export function byAge(endpoints: readonly WebhookEndpoint[]): WebhookEndpoint[] {
	return [...endpoints].sort((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? -1 : 1));
}

/** Checks a value that was read; undefined if it is not an endpoint. Pure. */
export function asEndpoint(value: Record<string, unknown> | undefined): WebhookEndpoint | undefined {
	if (typeof value?.id !== 'string' || typeof value.owner !== 'string') return undefined;
	return typeof value.url === 'string' && Array.isArray(value.secrets)
		? (value as unknown as WebhookEndpoint)
		: undefined;
}

/** Persistent storage of endpoints. All methods throw the storage's errors. */
export interface EndpointStore {
	/** Endpoints of one owner, the newest first. */
	list(owner: string): Promise<WebhookEndpoint[]>;
	/** undefined if there is none. */
	find(id: string): Promise<WebhookEndpoint | undefined>;
	/** Stores what `make` returns, and returns it. `others`: number of endpoints that the owner already has. Throws what
	 * `make` throws. */
	add(owner: string, make: (others: number) => WebhookEndpoint): Promise<WebhookEndpoint>;
	/** Replaces an endpoint by what `change` makes of it, and returns that; undefined if there is none. No change by others
	 * is lost in between. */
	change(
		id: string,
		change: (found: WebhookEndpoint) => WebhookEndpoint,
	): Promise<WebhookEndpoint | undefined>;
	remove(endpoint: WebhookEndpoint): Promise<void>;
}
