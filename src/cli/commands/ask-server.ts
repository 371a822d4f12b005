/** Requests to a running server, through its HTTP API. */

import { networkInterfaces } from 'node:os';
import type { Readable } from 'node:stream';
import { Agent, request } from 'undici';
import { earshot } from '../../command-line.js';
import { addressText, isLoopback, socketPathOf } from '../../config/addresses.js';
import type { Config, SettingName } from '../../config/settings.js';
import { EarshotError } from '../../errors.js';
import { loadRegistry } from '../../models/registry/registry.js';
import { packageRoot } from '../../paths.js';
import { readToken, tokenFileOf } from '../../server/local-token.js';

/** The body of the answer. Throws `not_found` where no server of Earshot answers, and `invalid_request` with what it refused. */
export async function askServer<T>(
	flags: Partial<Record<SettingName, string>>,
	method: 'GET' | 'POST' | 'DELETE',
	path: string,
	sent: SentBody = {},
): Promise<T> {
	const { text, where } = await askForText(flags, method, path, sent);
	const body = parsed(text);
	if (body === undefined)
		throw new EarshotError(
			'not_found',
			`What answers at ${where} is no Earshot server; if that runs elsewhere: --addr HOST:PORT`,
		);
	return body as T;
}

export interface SentBody {
	readonly body?: Readable;
	readonly headers?: Readonly<Record<string, string>>;
}

/** As `askServer`, for answers that are not JSON. */
export async function askForText(
	flags: Partial<Record<SettingName, string>>,
	method: 'GET' | 'POST' | 'DELETE',
	path: string,
	sent: SentBody = {},
): Promise<{ readonly text: string; readonly where: string }> {
	const { config } = loadRegistry(flags, packageRoot);
	const place = placeOf(config);
	const where = place.socketPath === undefined ? place.url : config.host;
	const key = config.apiKeys[0] ?? (place.isOwn ? await readToken(tokenFileOf(config)) : undefined);
	let answer: Awaited<ReturnType<typeof request>>;
	try {
		answer = await request(`${place.url}${path}`, {
			method,
			headers: { ...sent.headers, ...(key !== undefined && { authorization: `Bearer ${key}` }) },
			...(sent.body && { body: sent.body }),
			...(place.socketPath === undefined
				? {}
				: { dispatcher: new Agent({ connect: { socketPath: place.socketPath }, headersTimeout: 0 }) }),
			// A model at work is unloaded when its recordings are through.
			headersTimeout: 0,
		});
	} catch (cause) {
		throw new EarshotError(
			'not_found',
			`No server answers at ${where}. To start one: ${earshot('serve')}; if it runs elsewhere: --addr HOST:PORT`,
			{ cause },
		);
	}
	const text = await answer.body.text();
	if (answer.statusCode >= 400)
		throw new EarshotError(
			'invalid_request',
			messageOf(parsed(text)) ?? `the server at ${where} answered ${answer.statusCode}`,
		);
	return { text, where };
}

function parsed(text: string): object | undefined {
	try {
		const body: unknown = JSON.parse(text);
		return typeof body === 'object' && body !== null ? body : undefined;
	} catch {
		return undefined;
	}
}

function messageOf(body: { readonly error?: { readonly message?: string } } | undefined): string | undefined {
	return body?.error?.message;
}

interface Place {
	readonly url: string;
	/** Where it is a Unix socket. */
	readonly socketPath?: string;
	/** It is on this machine: the token of its server goes nowhere else. */
	readonly isOwn: boolean;
}

/** Where a client on this machine reaches `earshot serve` with the same settings. */
function placeOf({ host, port }: Pick<Config, 'host' | 'port'>): Place {
	const socketPath = socketPathOf(host);
	if (socketPath !== undefined) return { url: 'http://localhost', socketPath, isOwn: true };
	const name = { '0.0.0.0': '127.0.0.1', '::': '::1' }[host] ?? host;
	const own = Object.values(networkInterfaces()).flatMap((each) =>
		(each ?? []).map(({ address }) => address),
	);
	return { url: `http://${addressText(name, port)}`, isOwn: isLoopback(name) || own.includes(name) };
}
