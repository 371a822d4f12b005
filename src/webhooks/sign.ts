/** Signatures by Standard Webhooks, which OpenAI's clients verify. Pure. */

import { createHmac } from 'node:crypto';
import { keyOf } from './secret.js';

export interface SignedMessage {
	/** Must not contain a full stop, which separates the signed fields. */
	readonly id: string;
	/** Time of this attempt, Unix seconds. */
	readonly timestamp: number;
	readonly body: string;
}

/** The headers of a message, with one signature per secret; a receiver needs to verify any one of them. Without
 * secrets there is no signature header. */
export function signedHeaders(
	{ id, timestamp, body }: SignedMessage,
	secrets: readonly string[],
): Record<string, string> {
	const signatures = secrets.map((secret) => {
		const hmac = createHmac('sha256', keyOf(secret)).update(`${id}.${timestamp}.${body}`);
		return `v1,${hmac.digest('base64')}`;
	});
	return {
		'webhook-id': id,
		'webhook-timestamp': String(timestamp),
		...(signatures.length > 0 && { 'webhook-signature': signatures.join(' ') }),
	};
}
