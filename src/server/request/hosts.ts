/** Validates the `Host` header. A web page can send requests to any address under a host name of its own (DNS
 * rebinding), but not under an IP address or a name that only this machine has. */

import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { isLoopback } from '../../core/config/addresses.js';

export interface HostOptions {
	/** What the server listens on: an address, a host name, or `unix:` and the path of a socket. */
	readonly host: string;
	/** Additional host names that requests may use; `*` for any. */
	readonly allowedHosts: readonly string[];
	/** This machine's own name. */
	readonly machineName?: string;
}

/** The name of the host machine inside containers; Docker Desktop forwards it to the loopback address. */
const dockerHost = 'host.docker.internal';

/** Returns a predicate that accepts the valid values of the `Host` header. */
export function hostRule({
	host,
	allowedHosts,
	machineName = hostname(),
}: HostOptions): (header: string) => boolean {
	if (allowedHosts.includes('*')) return () => true;
	const isOpen = allowedHosts.length === 0 && !isLoopback(host);
	const names = new Set(
		[...allowedHosts, host, dockerHost, ...(isOpen ? namesOfMachine(machineName) : [])].map((name) =>
			hostnameOf(`http://${bracketed(name)}`),
		),
	);
	const isAnswered = (header: string): boolean => {
		const name = /[\s@/\\?#]/.test(header) ? undefined : hostnameOf(`http://${header}`);
		if (name === undefined) return false;
		return isLoopback(name) || names.has(name) || (isOpen && isIP(name.replace(/^\[(.*)\]$/, '$1')) > 0);
	};
	// Nearly all requests have the same header, and parsing a URL takes longer than the rest of the rules.
	let last: { readonly header: string; readonly isAnswered: boolean } | undefined;
	return (header) => {
		if (last?.header !== header) last = { header, isAnswered: isAnswered(header) };
		return last.isAnswered;
	};
}

/** The names that other machines on the network may use for this one. */
function namesOfMachine(name: string): string[] {
	const [short = ''] = name.split('.');
	return name === '' ? [] : [name, short, `${short}.local`];
}

export function hostnameOf(url: string): string | undefined {
	return URL.canParse(url) ? new URL(url).hostname.toLowerCase().replace(/\.$/, '') : undefined;
}

function bracketed(name: string): string {
	return name.includes(':') && !name.startsWith('[') ? `[${name}]` : name;
}
