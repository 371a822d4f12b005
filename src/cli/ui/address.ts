/** The address of a server as people type it. */

import { CommanderError } from 'commander';

/** Exit code for wrong usage, as in most Unix tools. */
export const usageError = 2;

/** `HOST:PORT`, `[::1]:PORT`, `:PORT`, `PORT`, `HOST`, or `unix:/path`. */
export function splitAddress(address: string): { host?: string; port?: string } {
	if (address.startsWith('unix:')) return { host: address };
	if (/^\d+$/.test(address)) return { port: address };
	const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]*))(?::(\d+))?$/.exec(address) ?? [];
	const host = bracketed ?? plain;
	if (host === undefined)
		throw new CommanderError(
			usageError,
			'earshot.address',
			`Expected \`--addr\` to be HOST:PORT, PORT or unix:/path, got \`${address}\``,
		);
	return { ...(host === '' ? {} : { host }), ...(port === undefined ? {} : { port }) };
}
