/** The addresses that a server listens on: host names, IP addresses, and Unix sockets as `unix:/path`. */

import path from 'node:path';
import { Expectation, list } from './values.js';

export function isLoopback(hostname: string): boolean {
	return (
		hostname === 'localhost' ||
		hostname.endsWith('.localhost') ||
		/^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(hostname) ||
		hostname === '::1' ||
		hostname === '[::1]'
	);
}

const socketPrefix = 'unix:';

/** The longest path of a Unix socket that every system takes, in bytes. */
const maxSocketPathBytes = 103;

/** The path of `unix:/path`; undefined for other hosts. */
export function socketPathOf(host: string): string | undefined {
	return host.startsWith(socketPrefix) ? host.slice(socketPrefix.length) : undefined;
}

/** A host setting; the path of a socket becomes absolute. An empty text is refused, since Node would listen on every
 * address. Throws Expectation. */
export function hostSetting(text: string, platform: string = process.platform): string {
	const given = socketPathOf(text);
	if (given === undefined) {
		if (text.trim() === '') throw new Expectation('an address, a host name, or `unix:` and a path');
		return text;
	}
	const file = path.resolve(given);
	const fits = given !== '' && Buffer.byteLength(file) <= maxSocketPathBytes;
	if (platform !== 'win32' && fits) return `${socketPrefix}${file}`;
	throw new Expectation(
		`an address, a host name, or \`unix:\` and a path of at most ${maxSocketPathBytes} bytes (not on Windows)`,
	);
}

/** Where a server with these settings listens, in the form of `--addr`. */
export function addressText(host: string, port: number): string {
	if (socketPathOf(host) !== undefined) return host;
	return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** A host, and optionally the only port allowed. */
export interface AllowedHost {
	/** In the form of URLs: lower case, IPv6 in brackets. */
	readonly hostname: string;
	/** undefined = any port. */
	readonly port: number | undefined;
}

/** Parses `HOST` or `HOST:PORT`; undefined if it is neither. */
export function allowedHost(text: string): AllowedHost | undefined {
	const [, host = '', port] = /^(\[[0-9A-Fa-f:.]+\]|[^\s:/?#@[\]\\]+)(?::(\d{1,5}))?$/.exec(text) ?? [];
	if (!URL.canParse(`http://${host}`) || Number(port ?? 1) < 1 || Number(port ?? 1) > 65_535)
		return undefined;
	return {
		hostname: new URL(`http://${host}`).hostname,
		port: port === undefined ? undefined : Number(port),
	};
}

/** Parses a list of `HOST` or `HOST:PORT`. Throws Expectation. */
export function allowedHosts(text: string): readonly string[] {
	const items = list(text);
	if (items.every((item) => allowedHost(item) !== undefined)) return items;
	throw new Expectation('hosts such as `hooks.lan` or `127.0.0.1:3000`, separated by commas');
}

/** The parts of `HOST:PORT`, `[::1]:PORT`, `:PORT`, `PORT`, `HOST`, or `unix:/path`; undefined for anything else. */
export function addressParts(
	address: string,
): { readonly host?: string; readonly port?: string } | undefined {
	if (socketPathOf(address) !== undefined) return { host: address };
	if (/^\d+$/.test(address)) return { port: address };
	const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]*))(?::(\d+))?$/.exec(address) ?? [];
	const host = bracketed ?? plain;
	if (host === undefined) return undefined;
	return { ...(host === '' ? {} : { host }), ...(port === undefined ? {} : { port }) };
}

/** Parses a separate address to listen on; returns it in the form of `addressText`. Throws Expectation. */
export function listenAddress(text: string): string {
	const { host = '127.0.0.1', port } = addressParts(text.trim()) ?? {};
	if (socketPathOf(host) !== undefined) return hostSetting(host);
	if (port === undefined || Number(port) > 65_535) throw new Expectation('PORT, HOST:PORT or unix:/path');
	return addressText(host, Number(port));
}

/** The two parts of what `listenAddress` returns. */
export function hostAndPort(address: string): { readonly host: string; readonly port: number } {
	const { host = '', port = '0' } = addressParts(address) ?? {};
	return { host, port: Number(port) };
}
