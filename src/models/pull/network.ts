/** HTTP GET requests to the sources of models. Loads its HTTP client only for a download. */

import { rootCertificates } from 'node:tls';
import type { Dispatcher } from 'undici';
import type { NetworkEnvironment } from '../../core/config/environment.js';
import { EarshotError } from '../../core/errors.js';

export interface NetworkSettings extends NetworkEnvironment {
	/** '' = none. */
	readonly mirror: string;
	/** Sent only to the origin of `url`, and never to a mirror. */
	readonly login?: { readonly url: string; readonly authorization: string };
	/** PEM certificates trusted in addition to Node's. */
	readonly certificates?: string | undefined;
}

export interface Reply {
	/** The requested URL, or the one it redirected to. */
	readonly url: string;
	readonly status: number;
	header(name: string): string | undefined;
	readonly body: AsyncIterable<Uint8Array>;
	/** Closes the connection without reading the rest. */
	drop(): void;
}

export interface Network {
	/** Where a published URL is fetched from: the mirror's or HF_ENDPOINT's address, for messages. */
	locate(url: string): string;
	/** Follows redirects. Rejects with the socket's error, or a `Refusal`. */
	get(url: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Reply>;
	close(): Promise<void>;
}

/** A permanent failure: a retry would fail the same way. */
export class Refusal extends Error {}

const maxRedirects = 10;
const hubHost = 'huggingface.co';

/** Applies the mirror or HF_ENDPOINT to a published URL. Pure. */
export function sourceOf(
	url: string,
	{ mirror, hubEndpoint }: Pick<NetworkSettings, 'mirror' | 'hubEndpoint'>,
): string {
	const { host, pathname, search } = new URL(url);
	if (mirror !== '') return `${mirror}/${host}${pathname}${search}`;
	return host === hubHost ? `${hubEndpoint}${pathname}${search}` : url;
}

/** For messages, which others may read. Pure. */
export function withoutLogin(url: string): string {
	const shown = new URL(url);
	if (shown.username === '' && shown.password === '') return url;
	shown.username = '';
	shown.password = '';
	return shown.href;
}

/** The token is sent only to the hub itself, whose redirects lead to other hosts. '' = none. Pure. */
export function tokenFor(
	url: string,
	{ mirror, hubEndpoint, hubToken }: Pick<NetworkSettings, 'mirror' | 'hubEndpoint' | 'hubToken'>,
): string {
	if (hubToken === '' || mirror !== '' || !URL.canParse(hubEndpoint)) return '';
	return new URL(url).origin === new URL(hubEndpoint).origin ? hubToken : '';
}

/** The `authorization` of a request; '' = none. Pure. */
function authorizationFor(url: string, settings: NetworkSettings): string {
	const token = tokenFor(url, settings);
	if (token !== '') return `Bearer ${token}`;
	const { login, mirror } = settings;
	if (login === undefined || mirror !== '') return '';
	return new URL(url).origin === new URL(login.url).origin ? login.authorization : '';
}

/** `waitTimeoutMs`: for connecting, and for the head of a reply. */
export async function openNetwork(settings: NetworkSettings, waitTimeoutMs = 30_000): Promise<Network> {
	const { EnvHttpProxyAgent, request } = await import('undici');
	const { certificates } = settings;
	const trust = certificates === undefined ? {} : { ca: [...rootCertificates, certificates] };
	const agent = new EnvHttpProxyAgent({
		httpProxy: settings.httpProxy,
		httpsProxy: settings.httpsProxy,
		noProxy: settings.noProxy,
		connect: { timeout: waitTimeoutMs, ...trust },
		requestTls: trust,
		headersTimeout: waitTimeoutMs,
		// The download itself detects a stalled body.
		bodyTimeout: 0,
	});
	return {
		locate: (url) => withoutLogin(sourceOf(url, settings)),
		close: () => agent.destroy(),
		async get(url, headers, signal) {
			let at = sourceOf(url, settings);
			for (let redirects = 0; redirects <= maxRedirects; redirects++) {
				const authorization = authorizationFor(at, settings);
				const answer = await request(at, {
					dispatcher: agent,
					signal,
					headers: {
						'user-agent': 'earshot',
						// Uncompressed, since the bytes are counted and hashed as they arrive.
						'accept-encoding': 'identity',
						...headers,
						...(authorization === '' ? {} : { authorization }),
					},
				});
				const { location } = answer.headers;
				if (![301, 302, 303, 307, 308].includes(answer.statusCode) || location === undefined)
					return replyOf(answer, redirects === 0 ? url : at);
				drop(answer);
				at = redirected(at, String(location));
			}
			throw new Refusal(`the server redirects more than ${maxRedirects} times`);
		},
	};
}

function redirected(from: string, location: string): string {
	if (!URL.canParse(location, from)) throw new Refusal('the server redirects to an invalid URL');
	const to = new URL(location, from);
	const secure = new URL(from).protocol === 'https:';
	if (to.protocol !== 'https:' && (secure || to.protocol !== 'http:'))
		throw new Refusal(`the server redirects to ${to.protocol}//${to.host}, which is not secure`);
	return to.href;
}

function replyOf(answer: Dispatcher.ResponseData, url: string): Reply {
	return {
		url,
		status: answer.statusCode,
		header(name) {
			const value = answer.headers[name];
			return Array.isArray(value) ? value[0] : value;
		},
		body: answer.body,
		drop: () => drop(answer),
	};
}

function drop({ body }: Dispatcher.ResponseData): void {
	// Errors of an abandoned body are ignored.
	body.on('error', () => {}).destroy();
}

/** Throws `config_invalid` for a bad HF_ENDPOINT. Checked only before a download, since the variable is other programs' too. */
export function checkEndpoint({ hubEndpoint }: Pick<NetworkSettings, 'hubEndpoint'>): void {
	if (URL.canParse(hubEndpoint) && /^https?:$/.test(new URL(hubEndpoint).protocol)) return;
	throw new EarshotError(
		'config_invalid',
		`Expected \`HF_ENDPOINT\` to be an http or https URL, got \`${hubEndpoint}\``,
		{ param: 'HF_ENDPOINT' },
	);
}
