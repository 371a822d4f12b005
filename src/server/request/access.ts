/** Access control: the rules for Host, Origin and API key, for HTTP requests and WebSocket upgrades. */

import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { isLoopback } from '../../core/config/addresses.js';
import { EarshotError } from '../../core/errors.js';
import { type HostOptions, hostnameOf, hostRule } from './hosts.js';

export interface AccessOptions extends HostOptions {
	/** Origins whose pages may use the server besides loopback ones, e.g. `https://notes.example`; `*` for any. */
	readonly allowedOrigins: readonly string[];
	/** Empty: no key is required. */
	readonly apiKeys: readonly string[];
	/** Accepted like an API key. The `earshot` command reads it from a file that only the server's user can read. */
	readonly localToken?: string | undefined;
}

export interface Access {
	/** Throws `invalid_request` or `host_refused`. */
	checkHost(headers: IncomingHttpHeaders, httpVersion: string): void;
	/** Throws `origin_refused`. */
	checkOrigin(headers: IncomingHttpHeaders): void;
	/** Whether one of `keys` is an API key or the local token. */
	areTrusted(keys: readonly string[]): boolean;
	/** The owner of what a request with these keys stores: the SHA-256 digest of its API key in hex, or `localOwner`. */
	ownerOf(keys: readonly string[]): string;
	/** The error for a request without a valid key; undefined if the key is valid or none is required. */
	keyRefusal(keys: readonly string[], headers: IncomingHttpHeaders): EarshotError | undefined;
}

/** Owner of what requests without an API key store: those with the local token, or all if no key is required. */
export const localOwner = 'local';

export function accessRules(options: AccessOptions): Access {
	const hostAllowed = hostRule(options);
	const originAllowed = originRule(options.allowedOrigins);
	const isApiKey = keyRule(options.apiKeys);
	const isLocalToken = keyRule(options.localToken === undefined ? [] : [options.localToken]);
	const isKey = (key: string): boolean => [isApiKey(key), isLocalToken(key)].includes(true);
	return {
		checkHost({ host = '' }, httpVersion) {
			if (host === '' && httpVersion === '1.1')
				throw new EarshotError(
					'invalid_request',
					'Expected the header `Host` to be the name of this server, got nothing',
				);
			if (hostAllowed(host)) return;
			throw new EarshotError(
				'host_refused',
				`This server does not answer to the host name \`${host}\`; start the server with --allowed-hosts, or use localhost`,
			);
		},
		checkOrigin({ origin = '', host = '' }) {
			if (origin === '' || originAllowed(origin, host)) return;
			throw new EarshotError(
				'origin_refused',
				`Pages from \`${origin}\` may not use this server; start it with --allowed-origins`,
			);
		},
		areTrusted: (keys) => keys.some(isKey),
		ownerOf(keys) {
			const key = keys.find(isApiKey);
			return key === undefined ? localOwner : digest(key).toString('hex');
		},
		keyRefusal(keys, { authorization = '' }) {
			if (options.apiKeys.length === 0 || keys.some(isKey)) return undefined;
			return new EarshotError(
				'invalid_api_key',
				keys.length === 0 && authorization === ''
					? 'This server requires an API key: send it as `Authorization: Bearer KEY`'
					: 'Incorrect API key provided',
			);
		},
	};
}

/** The keys in the headers that clients of OpenAI, of Azure and others use. */
export function sentKeys(headers: IncomingHttpHeaders): readonly string[] {
	if ((headers.authorization ?? headers['api-key'] ?? headers['x-api-key']) === undefined) return [];
	const bearer = /^bearer +(.+)$/i.exec(headers.authorization ?? '')?.[1] ?? '';
	return [bearer, headers['api-key'], headers['x-api-key']].flatMap((key) => String(key ?? '').trim() || []);
}

function originRule(allowed: readonly string[]): (origin: string, host: string) => boolean {
	if (allowed.includes('*')) return () => true;
	const named = new Set(allowed.map((origin) => origin.toLowerCase().replace(/\/$/, '')));
	return (origin, host) => {
		if (named.has(origin.toLowerCase())) return true;
		const name = hostnameOf(origin);
		return (
			name !== undefined && (isLoopback(name) || origin === `http://${host}` || origin === `https://${host}`)
		);
	};
}

/** Compares digests, and always all of them, so that the time taken reveals nothing about the keys. */
function keyRule(keys: readonly string[]): (key: string) => boolean {
	const digests = keys.map(digest);
	return (key) => {
		const given = digest(key);
		return digests.filter((known) => timingSafeEqual(known, given)).length > 0;
	};
}

function digest(key: string): Buffer {
	return createHash('sha256').update(key).digest();
}
