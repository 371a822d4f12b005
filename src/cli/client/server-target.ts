/** How a command reaches a running server: its address, the API key, and the certificate to trust. */

import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { checkServerIdentity, type PeerCertificate, rootCertificates } from 'node:tls';
import { addressText, isLoopback, socketPathOf } from '../../core/config/addresses.js';
import type { Config } from '../../core/config/settings.js';
import { EarshotError, expected, reasonOf } from '../../core/errors.js';
import { certificateFileOf, readCertificate, readToken, tokenFileOf } from '../../server/local-token.js';

/** TLS options of a connection, in Node's form. */
export interface TlsOptions {
	readonly ca?: string[];
	readonly allowPartialTrustChain?: boolean;
	readonly checkServerIdentity?: (name: string, certificate: PeerCertificate) => Error | undefined;
}

export interface ServerTarget {
	/** `http:` or `https:`, without a slash at its end. */
	readonly url: string;
	/** The address for messages. */
	readonly label: string;
	/** Path of the Unix socket, if it listens on one. */
	readonly socketPath?: string;
	/** What to do if it does not answer, but may speak TLS. */
	readonly overTls: string;
	/** An API key, or the token of this user's own server. */
	readonly key: string | undefined;
	readonly tls: TlsOptions;
}

type Settings = Pick<Config, 'host' | 'port' | 'apiKeys' | 'tlsCert'>;

/** The server at a URL (`http`, `https`, `ws`, `wss`), with or without `/v1`, or at `unix:/path`. Throws EarshotError. */
export async function targetOfUrl(text: string, config: Settings): Promise<ServerTarget> {
	if (socketPathOf(text) !== undefined) return await serverTarget({ ...config, host: text });
	const url = URL.canParse(text) ? new URL(text) : undefined;
	if (url === undefined || !/^(https?|wss?):$/.test(url.protocol))
		throw expected('--url', 'the URL of a server, such as `http://127.0.0.1:8080`, or `unix:/path`', text);
	const protocol = /^(https|wss):$/.test(url.protocol) ? 'https' : 'http';
	const host = url.hostname.replace(/^\[|\]$/g, '');
	const port = Number(url.port === '' ? { http: 80, https: 443 }[protocol] : url.port);
	return await serverTarget({ ...config, host, port }, protocol);
}

/** The server that `earshot serve` starts with the same settings. `given`: with or without TLS; if absent, TLS is used
 * if the server has left its certificate or `--tls-cert` is set. Throws `config_invalid`. */
export async function serverTarget(config: Settings, given?: 'http' | 'https'): Promise<ServerTarget> {
	const { host, port } = config;
	const socketPath = socketPathOf(host);
	const name = { '0.0.0.0': '127.0.0.1', '::': '::1' }[host] ?? host;
	const isOwn = socketPath !== undefined || isOwnName(name);
	const trusted = await trustedFor(config, isOwn);
	const protocol = given ?? (trusted === undefined ? 'http' : 'https');
	const authority = socketPath === undefined ? addressText(name, port) : 'localhost';
	const url = `${protocol}://${authority}`;
	return {
		url,
		label: socketPath === undefined ? url : host,
		overTls: given === 'http' ? `https://${authority}` : '--tls-cert FILE',
		...(socketPath === undefined ? {} : { socketPath }),
		key: await keyFor(config, isOwn),
		tls: tlsOptions(trusted),
	};
}

/** The API key, or the local token, which is sent only to this user's own server. */
async function keyFor({ apiKeys, host, port }: Settings, isOwn: boolean): Promise<string | undefined> {
	return apiKeys[0] ?? (isOwn ? await readToken(tokenFileOf({ host, port })) : undefined);
}

/** The certificate given by the user, or the file written by this user's own server. */
async function trustedFor({ tlsCert, host, port }: Settings, isOwn: boolean): Promise<string | undefined> {
	const localCertificate = isOwn ? await readCertificate(certificateFileOf({ host, port })) : undefined;
	if (localCertificate !== undefined || tlsCert === '') return localCertificate;
	try {
		return await readFile(tlsCert, 'utf8');
	} catch (thrown) {
		throw new EarshotError(
			'config_invalid',
			`Expected \`tls-cert\` to be a file that this user can read, got \`${tlsCert}\` (${reasonOf(thrown)})`,
			{ param: 'tls-cert' },
		);
	}
}

/** Trusts the system's certificate authorities and these certificates; the first one for any host name. */
function tlsOptions(pem: string | undefined): TlsOptions {
	if (pem === undefined) return {};
	const first = fingerprintOf(pem);
	return {
		ca: [...rootCertificates, pem],
		allowPartialTrustChain: true,
		checkServerIdentity: (name, shown) =>
			shown.fingerprint256 === first ? undefined : checkServerIdentity(name, shown),
	};
}

function fingerprintOf(pem: string): string | undefined {
	try {
		return new X509Certificate(pem).fingerprint256;
	} catch {
		// Node's own certificates must suffice.
		return undefined;
	}
}

function isOwnName(name: string): boolean {
	const own = Object.values(networkInterfaces()).flatMap((each) =>
		(each ?? []).map(({ address }) => address),
	);
	return isLoopback(name) || own.includes(name);
}

const refusals = /^(CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|ERR_TLS_CERT)/;

/** The error for a failed connection. */
export function unreachable({ label, overTls }: ServerTarget, cause: unknown, start: string): EarshotError {
	const code = typeof cause === 'object' && cause !== null && 'code' in cause ? String(cause.code) : '';
	if (refusals.test(code))
		return new EarshotError(
			'not_found',
			`The certificate of the server at ${label} is not trusted (${reasonOf(cause)}); to trust it: --tls-cert FILE`,
			{ cause },
		);
	const hint = /^(UND_ERR_SOCKET|ECONNRESET)$/.test(code) ? `; if it speaks TLS: ${overTls}` : '';
	return new EarshotError('not_found', `No server answers at ${label}. ${start}${hint}`, { cause });
}

/** The error for a server's 401, whose own message is about headers. */
export function keyRefused({ label, key }: ServerTarget): EarshotError {
	const what = key === undefined ? 'requires an API key: --api-keys KEY' : 'does not accept this API key';
	return new EarshotError('invalid_api_key', `The server at ${label} ${what}`);
}
