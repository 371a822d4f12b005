/** Secrets of webhooks, in the format of Standard Webhooks: `whsec_` and the base64 of 24 to 64 bytes. */

import { randomBytes } from 'node:crypto';
import { EarshotError } from '../core/errors.js';

const prefix = 'whsec_';
const minBytes = 24;
const maxBytes = 64;

export function newSecret(): string {
	return `${prefix}${randomBytes(32).toString('base64')}`;
}

/** Returns the secret if it is valid. Throws `invalid_request`, without quoting the text. */
export function checkedSecret(text: string, param: string): string {
	const base64 = text.startsWith(prefix) ? text.slice(prefix.length) : '';
	const bytes = keyOf(text).length;
	if (/^[A-Za-z0-9+/]+={0,2}$/.test(base64) && bytes >= minBytes && bytes <= maxBytes) return text;
	throw new EarshotError(
		'invalid_request',
		`Expected \`${param}\` to be \`${prefix}\` and the base64 of ${minBytes} to ${maxBytes} random bytes, got ${base64 === '' ? 'another text' : `${bytes} bytes`}`,
		{ param },
	);
}

/** The key bytes that the secret encodes. */
export function keyOf(secret: string): Buffer {
	return Buffer.from(secret.slice(prefix.length), 'base64');
}

/** Enough to distinguish secrets, and too little to guess one. */
export function secretHint(secret: string): string {
	return `${prefix}…${secret.slice(-4)}`;
}
