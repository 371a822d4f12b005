/** Access control: Host, Origin and API key. On a loopback address the threat is a page in the user's own browser,
 * which can send requests to localhost, and through DNS rebinding under its own host name. */

import { createHash, timingSafeEqual } from 'node:crypto';
import type { Context } from 'koa';
import { isLoopback } from '../../config/addresses.js';
import { EarshotError } from '../../errors.js';
import type { RequestContext, RequestMiddleware } from './context.js';
import { type HostOptions, hostnameOf, hostRule } from './hosts.js';

export interface GuardOptions extends HostOptions {
	/** Origins whose pages may use the server besides loopback ones, e.g. `https://notes.example`; `*` for any. */
	readonly allowedOrigins: readonly string[];
	/** Empty: no key is required. */
	readonly apiKeys: readonly string[];
	/** As good as a key. The command reads it from a file that only the server's own user can read. */
	readonly localToken?: string | undefined;
	/** The methods that a path has. */
	readonly methodsOf: (path: string) => readonly string[];
}

/** Asked by orchestrators, which have no key. */
const keylessPaths = new Set(['/health', '/ready']);

export function guard(options: GuardOptions): RequestMiddleware {
	const hostAllowed = hostRule(options);
	const originAllowed = originRule(options.allowedOrigins);
	const isKey = keyRule([
		...options.apiKeys,
		...(options.localToken === undefined ? [] : [options.localToken]),
	]);

	return async (ctx, next) => {
		const host = ctx.get('host');
		if (host === '' && ctx.req.httpVersion === '1.1')
			throw new EarshotError(
				'invalid_request',
				'Expected the header `Host` to be the name of this server, got nothing',
			);
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
				ctx.set('access-control-allow-methods', options.methodsOf(ctx.path).join(', '));
				ctx.set('access-control-allow-headers', requestedHeaders(ctx.get('access-control-request-headers')));
				ctx.set('access-control-max-age', '600');
				if (ctx.get('access-control-request-private-network') === 'true') {
					ctx.set('access-control-allow-private-network', 'true');
				}
				ctx.status = 204;
				return;
			}
		}

		const keys = keysOf(ctx);
		ctx.state.isTrusted = keys.some(isKey);
		if (options.apiKeys.length > 0 && !ctx.state.isTrusted && !keylessPaths.has(ctx.path)) {
			ctx.set('www-authenticate', 'Bearer');
			throw new EarshotError(
				'invalid_api_key',
				keys.length === 0 && ctx.get('authorization') === ''
					? 'This server requires an API key: send it as `Authorization: Bearer KEY`'
					: 'Incorrect API key provided',
			);
		}
		await next();
	};
}

/** For routes that change this machine, or tell about it. Throws `key_needed` unless the request has shown a key or the
 * local token: where it came from proves nothing, since behind a proxy everyone comes from this machine. */
export function requireTrust({ state }: RequestContext, what: string): void {
	if (state.isTrusted) return;
	throw new EarshotError(
		'key_needed',
		`${what} needs an API key (start the server with --api-keys), or the \`earshot\` command, run on the server's machine by the user who runs the server`,
	);
}

/** As OpenAI's clients send it, Azure's, and others. */
function keysOf(ctx: Context): string[] {
	const bearer = /^bearer +(.+)$/i.exec(ctx.get('authorization'))?.[1] ?? '';
	return [bearer, ctx.get('api-key'), ctx.get('x-api-key')].flatMap((key) => key.trim() || []);
}

const exposedHeaders = [
	'x-request-id',
	'openai-processing-ms',
	'server-timing',
	'retry-after',
	'x-should-retry',
	'x-earshot-ignored',
	'x-earshot-warnings',
	'x-earshot-untranscribed-seconds',
].join(', ');

/** The header names that the page asks to send; OpenAI's client sends a dozen of its own. */
function requestedHeaders(header: string): string {
	const names = header.split(',').map((name) => name.trim().toLowerCase());
	return names.filter((name) => /^[a-z0-9-]+$/.test(name)).join(', ') || 'authorization, content-type';
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
