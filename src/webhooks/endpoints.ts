/** Webhook endpoints: addresses that an owner has registered, each in a file of its own that only this user can read. */

import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { EarshotError } from '../errors.js';
import type { WebhookEventType } from './event.js';
import { readRecord, recordNames, writeRecord } from './records.js';
import { newSecret } from './secret.js';

export interface WebhookEndpoint {
	/** `whe_` and 32 hexadecimal digits. */
	readonly id: string;
	/** To whom it belongs: the digest of an API key, or `local`. */
	readonly owner: string;
	readonly name: string;
	readonly url: string;
	readonly eventTypes: readonly WebhookEventType[];
	/** The present one first. */
	readonly secrets: readonly EndpointSecret[];
	/** Unix seconds. */
	readonly createdAt: number;
	/** Of the last change of anything. */
	readonly updatedAt: number;
	/** It hears of nothing: its owner said so, or it answered that it is gone. */
	readonly isDisabled: boolean;
}

export interface EndpointSecret {
	readonly secret: string;
	/** An earlier one signs until then, Unix seconds; null = the present one. */
	readonly until: number | null;
}

export type EndpointFields = Pick<WebhookEndpoint, 'name' | 'url' | 'eventTypes' | 'isDisabled'>;

const mostEndpoints = 100;
/** What an earlier secret signs after a rotation that keeps it. */
const overlapSeconds = 24 * 3600;
/** Signatures in a header. */
const mostSecrets = 4;

const idPattern = /^whe_[0-9a-f]{32}$/;

/** Those that sign now. Pure. */
export function activeSecrets({ secrets }: WebhookEndpoint, nowSeconds: number): string[] {
	return secrets.filter(({ until }) => until === null || until > nowSeconds).map(({ secret }) => secret);
}

/** The endpoint with another secret. `keepOld`: those of before sign for another 24 h. Pure. */
export function rotated(
	endpoint: WebhookEndpoint,
	{ keepOld, nowSeconds }: { readonly keepOld: boolean; readonly nowSeconds: number },
): WebhookEndpoint {
	const earlier = endpoint.secrets
		.map(({ secret, until }) => ({ secret, until: until ?? nowSeconds + overlapSeconds }))
		.filter(({ until }) => keepOld && until > nowSeconds);
	const secrets = [{ secret: newSecret(), until: null }, ...earlier].slice(0, mostSecrets);
	return { ...endpoint, secrets, updatedAt: Math.floor(nowSeconds) };
}

/** The endpoint with some fields anew; itself if that changes nothing. Pure. */
export function updated(
	endpoint: WebhookEndpoint,
	fields: Partial<EndpointFields>,
	nowSeconds: number,
): WebhookEndpoint {
	const changed = { ...endpoint, ...fields };
	if (JSON.stringify(changed) === JSON.stringify(endpoint)) return endpoint;
	return { ...changed, updatedAt: Math.floor(nowSeconds) };
}

export class EndpointStore {
	readonly #folder: string;

	/** `folder`: made when the first endpoint is added. */
	constructor(folder: string) {
		this.#folder = folder;
	}

	/** Of one owner, the newest first. */
	async list(owner: string): Promise<WebhookEndpoint[]> {
		const names = await recordNames(this.#folder);
		const all = await Promise.all(names.map((name) => this.#read(path.join(this.#folder, name))));
		return all
			.filter((endpoint) => endpoint?.owner === owner)
			.flatMap((endpoint) => endpoint ?? [])
			.sort((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? -1 : 1));
	}

	/** undefined where there is none. */
	async find(id: string): Promise<WebhookEndpoint | undefined> {
		return idPattern.test(id) ? await this.#read(this.#fileOf(id)) : undefined;
	}

	/** Throws `invalid_request` where the owner has too many. */
	async add(
		owner: string,
		fields: Omit<EndpointFields, 'isDisabled'>,
		nowSeconds: number,
	): Promise<WebhookEndpoint> {
		if ((await this.list(owner)).length >= mostEndpoints)
			throw new EarshotError(
				'invalid_request',
				`This key has ${mostEndpoints} webhook endpoints, which is the most: delete one of them first`,
			);
		const now = Math.floor(nowSeconds);
		const endpoint: WebhookEndpoint = {
			id: `whe_${randomBytes(16).toString('hex')}`,
			owner,
			...fields,
			secrets: [{ secret: newSecret(), until: null }],
			createdAt: now,
			updatedAt: now,
			isDisabled: false,
		};
		await this.replace(endpoint);
		return endpoint;
	}

	async replace(endpoint: WebhookEndpoint): Promise<void> {
		await writeRecord(this.#fileOf(endpoint.id), endpoint);
	}

	async remove({ id }: WebhookEndpoint): Promise<void> {
		await rm(this.#fileOf(id), { force: true });
	}

	#fileOf(id: string): string {
		return path.join(this.#folder, `${id}.json`);
	}

	async #read(file: string): Promise<WebhookEndpoint | undefined> {
		const value = await readRecord(file);
		if (typeof value?.id !== 'string' || typeof value.owner !== 'string') return undefined;
		return typeof value.url === 'string' && Array.isArray(value.secrets)
			? (value as unknown as WebhookEndpoint)
			: undefined;
	}
}
