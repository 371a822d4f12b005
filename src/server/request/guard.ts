/** Access control: Host, Origin and API key. On a loopback address the threat is a page in the user's own browser,
 * which can send requests to localhost, and through DNS rebinding under its own host name. */

import { createHash, timingSafeEqual } from 'node:crypto';
import type { Context, Middleware } from 'koa';
import { EarshotError } from '../../errors.js';

export interface GuardOptions {
	/** The address that the server listens on. */
	readonly host: string;
	/** Host names that requests may use besides the loopback ones; `*` for any. */
	readonly allowedHosts: readonly string[];
	/** Origins whose pages may use the server besides loopback ones, e.g. `https://notes.example`; `*` for any. */
	readonly allowedOrigins: readonly string[];
	/** Empty: no key is required. */
	readonly apiKeys: readonly string[];
}

/** Asked by orchestrators, which have no key. */
const keylessPaths = new Set(['/health', '/ready']);

export function guard(options: GuardOptions): Middleware {
	const hostAllowed = hostRule(options);
	const originAllowed = originRule(options.allowedOrigins);
	const keyAllowed = keyRule(options.apiKeys);

	return async (ctx, next) => {
		const host = ctx.get('host');
		if (!hostAllowed(host)) {
			throw new EarshotError(
				'host_refused',
				`This server does not answer to the host name \`${host}\`; add it to the allowed hosts, or use localhost`,
			);
		}

		const origin = ctx.get('origin');
		if (origin !== '') {
			ctx.vary('Origin');
			if (!originAllowed(origin, host)) {
				throw new EarshotError(
					'origin_refused',
					`Pages from \`${origin}\` may not use this server; add it to the allowed origins`,
				);
			}
			ctx.set('access-control-allow-origin', origin);
			ctx.set('access-control-expose-headers', exposedHeaders);
			if (ctx.method === 'OPTIONS' && ctx.get('access-control-request-method') !== '') {
				ctx.set('access-control-allow-methods', 'GET, HEAD, POST, DELETE, OPTIONS');
				ctx.set('access-control-allow-headers', requestedHeaders(ctx.get('access-control-request-headers')));
				ctx.set('access-control-max-age', '600');
				if (ctx.get('access-control-request-private-network') === 'true') {
					ctx.set('access-control-allow-private-network', 'true');
				}
				ctx.status = 204;
				return;
			}
		}

		if (!keylessPaths.has(ctx.path) && !keyAllowed(ctx.get('authorization'))) {
			ctx.set('www-authenticate', 'Bearer');
			throw new EarshotError(
				'invalid_api_key',
				ctx.get('authorization') === ''
					? 'This server requires an API key: send it as `Authorization: Bearer KEY`'
					: 'Incorrect API key provided',
			);
		}
		await next();
	};
}

/** For routes that change this machine. Throws `key_needed` unless the client is local or has an API key. */
export function requireLocalOrKey(ctx: Context, apiKeys: readonly string[], what: string): void {
	// With keys set, `guard` has checked this request's key already.
	if (apiKeys.length > 0 || isLocal(ctx)) return;
	throw new EarshotError(
		'key_needed',
		`${what} is allowed only from this machine or with an API key: start the server with --api-keys`,
	);
}

/** False behind a proxy on this machine, which forwards requests of other machines. */
function isLocal(ctx: Context): boolean {
	const address = (ctx.req.socket.remoteAddress ?? '').replace(/^::ffff:/, '');
	const forwarded = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'].some((name) => ctx.get(name) !== '');
	return isLoopback(address) && !forwarded;
}

const exposedHeaders = [
	'x-request-id',
	'openai-processing-ms',
	'server-timing',
	'retry-after',
	'x-should-retry',
].join(', ');

/** The header names that the page asks to send; OpenAI's client sends a dozen of its own. */
function requestedHeaders(header: string): string {
	const names = header.split(',').map((name) => name.trim().toLowerCase());
	return names.filter((name) => /^[a-z0-9-]+$/.test(name)).join(', ') || 'authorization, content-type';
}

function hostRule({ host, allowedHosts }: GuardOptions): (header: string) => boolean {
	// A server open to the network is reached under names that are not known here.
	if (allowedHosts.includes('*') || (!isLoopback(host) && allowedHosts.length === 0)) return () => true;
	const names = new Set(
		[...allowedHosts, host, dockerHost].map((name) => hostnameOf(`http://${bracketed(name)}`)),
	);
	return (header) => {
		const name = /[\s@/\\?#]/.test(header) ? undefined : hostnameOf(`http://${header}`);
		return name !== undefined && (isLoopback(name) || names.has(name));
	};
}

/** A container's name for its host machine; Docker Desktop forwards it to the loopback address. */
const dockerHost = 'host.docker.internal';

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
function keyRule(keys: readonly string[]): (authorization: string) => boolean {
	if (keys.length === 0) return () => true;
	const digests = keys.map(digest);
	return (authorization) => {
		const given = digest(/^bearer +(.+)$/i.exec(authorization)?.[1]?.trim() ?? '');
		return digests.filter((known) => timingSafeEqual(known, given)).length > 0;
	};
}

function digest(key: string): Buffer {
	return createHash('sha256').update(key).digest();
}

export function isLoopback(hostname: string): boolean {
	return (
		hostname === 'localhost' ||
		hostname.endsWith('.localhost') ||
		/^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(hostname) ||
		hostname === '::1' ||
		hostname === '[::1]'
	);
}

function hostnameOf(url: string): string | undefined {
	return URL.canParse(url) ? new URL(url).hostname.toLowerCase().replace(/\.$/, '') : undefined;
}

function bracketed(name: string): string {
	return name.includes(':') && !name.startsWith('[') ? `[${name}]` : name;
}
