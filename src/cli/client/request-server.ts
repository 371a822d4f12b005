/** Requests to a running server, through its HTTP API. */

import type { Readable } from 'node:stream';
import { Agent, request } from 'undici';
import { earshot } from '../../core/command-line.js';
import type { SettingTexts } from '../../core/config/settings.js';
import { EarshotError } from '../../core/errors.js';
import { packageRoot } from '../../core/paths.js';
import { loadRegistry } from '../../models/registry/registry.js';
import { keyRefused, serverTarget, unreachable } from './server-target.js';

type Method = 'GET' | 'POST' | 'DELETE';

export interface SentBody {
	readonly body?: Readable;
	readonly headers?: Readonly<Record<string, string>>;
}

/** The body of the response. Throws `not_found` if no Earshot server responds, and `invalid_request` with the server's
 * refusal. */
export async function requestServer<T>(
	flags: SettingTexts,
	method: Method,
	path: string,
	sent: SentBody = {},
): Promise<T> {
	const { text, label } = await requestText(flags, method, path, sent);
	const body = parsed(text);
	if (body === undefined)
		throw new EarshotError(
			'not_found',
			`The server at ${label} is not an Earshot server; if Earshot runs elsewhere: --addr HOST:PORT`,
		);
	return body as T;
}

/** Like `askServer`, for responses that are not JSON. */
export async function requestText(
	flags: SettingTexts,
	method: Method,
	path: string,
	sent: SentBody = {},
): Promise<{ readonly text: string; readonly label: string }> {
	const { config } = loadRegistry(flags, packageRoot);
	const target = await serverTarget(config);
	const { label, key, socketPath } = target;
	let answer: Awaited<ReturnType<typeof request>>;
	try {
		answer = await request(`${target.url}${path}`, {
			method,
			headers: { ...sent.headers, ...(key !== undefined && { authorization: `Bearer ${key}` }) },
			...(sent.body && { body: sent.body }),
			// A busy model is unloaded only when its recordings are finished, so the response may take long.
			dispatcher: new Agent({
				connect: { ...target.tls, ...(socketPath === undefined ? {} : { socketPath }) },
				headersTimeout: 0,
			}),
		});
	} catch (cause) {
		throw unreachable(
			target,
			cause,
			`To start one: ${earshot('serve')}; if it runs elsewhere: --addr HOST:PORT`,
		);
	}
	const text = await answer.body.text();
	if (answer.statusCode === 401) throw keyRefused(target);
	if (answer.statusCode >= 400)
		throw new EarshotError(
			'invalid_request',
			messageOf(parsed(text)) ?? `the server at ${label} refused the request with ${answer.statusCode}`,
		);
	return { text, label };
}

function parsed(text: string): object | undefined {
	try {
		const body: unknown = JSON.parse(text);
		return typeof body === 'object' && body !== null ? body : undefined;
	} catch {
		// Not JSON: the caller says what it expected.
		return undefined;
	}
}

function messageOf(body: { readonly error?: { readonly message?: string } } | undefined): string | undefined {
	return body?.error?.message;
}
