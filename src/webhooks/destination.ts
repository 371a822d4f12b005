/**
 * Restricts where webhooks may be sent. Their URLs come from clients, so without these rules a client could make
 * the server send requests into its own network (SSRF). A name is resolved once per attempt, its addresses are
 * checked, and the connection goes to one of those addresses, so that changing the DNS record in between has no
 * effect.
 */

import type { LookupAddress } from 'node:dns';
import { isIP } from 'node:net';
import { type AllowedHost, allowedHost } from '../core/config/addresses.js';
import { type EarshotError, expected } from '../core/errors.js';
import { isPublicAddress } from './addresses.js';

/** Resolves a host name. Rejects with the system's error. */
export type Resolve = (hostname: string) => Promise<readonly LookupAddress[]>;

export class ForbiddenAddress extends Error {}

const maxUrlLength = 2048;
/** Ports of https, and others common for reverse proxies. */
const defaultPorts = [80, 443, 8080, 8443];
/** Names that no public host has (RFC 6761, 6762, 8375, 9476). */
const privateNames =
	/(^|\.)(localhost|local|internal|home\.arpa|lan|intranet|corp|home|private|invalid|test)$/;

export class Destinations {
	readonly #allowed: readonly AllowedHost[];
	readonly #resolve: Resolve;

	/** `allowed`: HOST or HOST:PORT that may be used although the rules forbid it. */
	constructor(allowed: readonly string[], resolve: Resolve) {
		this.#allowed = allowed.flatMap((text) => allowedHost(text) ?? []);
		this.#resolve = resolve;
	}

	/** Checks everything that needs no DNS lookup. Throws `invalid_request`. */
	check(text: string, param: string): URL {
		const refuse = (what: string, got = text): EarshotError =>
			expected(param, `${what}, or one of a host that \`--webhook-allow\` names`, got);
		const url = URL.canParse(text) ? new URL(text) : undefined;
		if (url === undefined || text.length > maxUrlLength || !/^https?:$/.test(url.protocol))
			throw expected(param, `an https URL of at most ${maxUrlLength} characters`, text);
		// Credentials would be sent to the receiver, and would appear in logs.
		if (url.username !== '' || url.password !== '')
			throw expected(param, 'a URL without user and password', 'one with them');
		if (this.#isAllowed(url)) return url;
		if (url.protocol !== 'https:') throw refuse('an https URL');
		if (!defaultPorts.includes(portOf(url)))
			throw refuse(`a URL with one of the ports ${defaultPorts.join(', ')}`);
		if (!isPublicHost(url.hostname)) throw refuse('a URL of a public host');
		return url;
	}

	/** The addresses to connect to. Throws ForbiddenAddress, or the system's error. */
	async resolve(url: URL): Promise<readonly LookupAddress[]> {
		const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
		const family = isIP(host);
		const found = family > 0 ? [{ address: host, family }] : await this.#resolve(host);
		// One forbidden address rules out the others too.
		const isPublic = found.length > 0 && found.every(({ address }) => isPublicAddress(address));
		if (!isPublic && !this.#isAllowed(url)) throw new ForbiddenAddress();
		return found;
	}

	#isAllowed(url: URL): boolean {
		return this.#allowed.some(
			({ hostname, port }) => hostname === url.hostname && (port === undefined || port === portOf(url)),
		);
	}
}

function portOf({ port, protocol }: URL): number {
	return port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
}

function isPublicHost(hostname: string): boolean {
	const host = hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '');
	if (isIP(host) > 0) return isPublicAddress(host);
	return host.includes('.') && !privateNames.test(host);
}
