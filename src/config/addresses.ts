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

/** A host setting; the path of a socket becomes absolute. Without a name Node would listen on every address. Throws
 * Expectation. */
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

/** A host, and a port where it is about one alone. */
export interface HostAndPort {
	/** As URLs have it: in lower case, IPv6 in brackets. */
	readonly hostname: string;
	/** undefined: any. */
	readonly port: number | undefined;
}

/** From `HOST` or `HOST:PORT`; undefined where it is neither. */
export function hostAndPort(text: string): HostAndPort | undefined {
	const [, host = '', port] = /^(\[[0-9A-Fa-f:.]+\]|[^\s:/?#@[\]\\]+)(?::(\d{1,5}))?$/.exec(text) ?? [];
	if (!URL.canParse(`http://${host}`) || Number(port ?? 1) < 1 || Number(port ?? 1) > 65_535)
		return undefined;
	return {
		hostname: new URL(`http://${host}`).hostname,
		port: port === undefined ? undefined : Number(port),
	};
}

/** Each of them `HOST` or `HOST:PORT`. Throws Expectation. */
export function hostsAndPorts(text: string): readonly string[] {
	const items = list(text);
	if (items.every((item) => hostAndPort(item) !== undefined)) return items;
	throw new Expectation('hosts such as `hooks.lan` or `127.0.0.1:3000`, separated by commas');
}
