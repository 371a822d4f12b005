/** Signatures of Standard Webhooks, which OpenAI's clients verify. Pure. */

import { createHmac } from 'node:crypto';
import { keyOf } from './secret.js';

export interface SignedMessage {
	/** Without a full stop: it ends at one. */
	readonly id: string;
	/** Of this try, Unix seconds. */
	readonly timestamp: number;
	readonly body: string;
}

/** The headers of a message. Each secret signs; a receiver takes the signature that it can verify. Without a secret there
 * is no signature. */
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
