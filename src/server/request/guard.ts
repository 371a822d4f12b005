/** Middleware for access control: Host, Origin and API key. On a loopback address the threat is a page in the user's
 * own browser, which can send requests to localhost, and through DNS rebinding under its own host name. */

import { EarshotError } from '../../core/errors.js';
import { type Access, sentKeys } from './access.js';
import type { RequestContext, RequestMiddleware } from './context.js';

export interface GuardOptions {
	readonly access: Access;
	/** The methods that a path supports. */
	readonly methodsOf: (path: string) => readonly string[];
}

/** Polled by orchestrators, which have no key. */
const keylessPaths = new Set(['/health', '/ready']);

export function guard({ access, methodsOf }: GuardOptions): RequestMiddleware {
	return async (ctx, next) => {
		const { headers, httpVersion } = ctx.req;
		access.checkHost(headers, httpVersion);

		const origin = ctx.get('origin');
		if (origin !== '') {
			ctx.vary('Origin');
			access.checkOrigin(headers);
			ctx.set('access-control-allow-origin', origin);
			ctx.set('access-control-expose-headers', exposedHeaders);
			if (ctx.method === 'OPTIONS' && ctx.get('access-control-request-method') !== '') {
				ctx.set('access-control-allow-methods', methodsOf(ctx.path).join(', '));
				ctx.set('access-control-allow-headers', requestedHeaders(ctx.get('access-control-request-headers')));
				ctx.set('access-control-max-age', '600');
				if (ctx.get('access-control-request-private-network') === 'true') {
					ctx.set('access-control-allow-private-network', 'true');
				}
				ctx.status = 204;
				return;
			}
		}

		const keys = sentKeys(headers);
		ctx.state.isTrusted = access.areTrusted(keys);
		ctx.state.owner = access.ownerOf(keys);
		const refusal = keylessPaths.has(ctx.path) ? undefined : access.keyRefusal(keys, headers);
		if (refusal) {
			ctx.set('www-authenticate', 'Bearer');
			throw refusal;
		}
		await next();
	};
}

/** For routes that change this machine or reveal details of it. Throws `key_needed` unless the request has a valid key
 * or the local token. Its address proves nothing, since behind a proxy all requests come from this machine. */
export function requireTrust({ state }: RequestContext, what: string): void {
	if (state.isTrusted) return;
	throw new EarshotError(
		'key_needed',
		`${what} needs an API key (start the server with --api-keys), or the \`earshot\` command, run on the server's machine by the user who runs the server`,
	);
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
	'x-earshot-partial',
	'location',
	'etag',
	'idempotent-replayed',
	'preference-applied',
].join(', ');

/** The header names that the preflight request lists; OpenAI's client sends a dozen of its own. */
function requestedHeaders(header: string): string {
	const names = header.split(',').map((name) => name.trim().toLowerCase());
	return names.filter((name) => /^[a-z0-9-]+$/.test(name)).join(', ') || 'authorization, content-type';
}
