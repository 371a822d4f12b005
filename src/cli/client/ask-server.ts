/** Requests to a running server, through its HTTP API. */

import { Agent, request } from 'undici';
import { earshot } from '../../command-line.js';
import type { SettingName } from '../../config/settings.js';
import { EarshotError } from '../../errors.js';
import { loadRegistry } from '../../models/registry/registry.js';
import { packageRoot } from '../../paths.js';
import { reachServer, unreachable } from './reach.js';

/** The body of the answer. Throws `not_found` where no server of Earshot answers, and `invalid_request` with what it refused. */
export async function askServer<T>(
	flags: Partial<Record<SettingName, string>>,
	method: 'GET' | 'POST',
	path: string,
): Promise<T> {
	const { config } = loadRegistry(flags, packageRoot);
	const reach = await reachServer(config);
	const { where, key, socketPath } = reach;
	let answer: Awaited<ReturnType<typeof request>>;
	try {
		answer = await request(`${reach.url}${path}`, {
			method,
			...(key === undefined ? {} : { headers: { authorization: `Bearer ${key}` } }),
			// A model at work is unloaded when its recordings are through.
			dispatcher: new Agent({
				connect: { ...reach.tls, ...(socketPath === undefined ? {} : { socketPath }) },
				headersTimeout: 0,
			}),
		});
	} catch (cause) {
		throw unreachable(
			reach,
			cause,
			`To start one: ${earshot('serve')}; if it runs elsewhere: --addr HOST:PORT`,
		);
	}
	const body = (await answer.body.json().catch(() => undefined)) as
		| (T & { readonly error?: { readonly message: string } })
		| undefined;
	if (typeof body !== 'object' || body === null)
		throw new EarshotError(
			'not_found',
			`What answers at ${where} is no Earshot server; if that runs elsewhere: --addr HOST:PORT`,
		);
	if (answer.statusCode >= 400)
		throw new EarshotError(
			'invalid_request',
			body.error?.message ?? `the server answered ${answer.statusCode}`,
		);
	return body;
}
