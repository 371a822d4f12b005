/** Reads small JSON bodies. */

import { EarshotError, expected } from '../../core/errors.js';
import type { RequestContext } from '../request/context.js';

/** The fields of the body's object; none if the body is empty. Throws `upload_too_large` and `invalid_request`. */
export async function readJson(ctx: RequestContext, maxBytes: number): Promise<Record<string, unknown>> {
	const pieces: Buffer[] = [];
	let bytes = 0;
	// Leaving the loop must not close the connection, since the refusal is still sent on it.
	for await (const piece of ctx.req.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
		bytes += piece.length;
		if (bytes > maxBytes) throw new EarshotError('upload_too_large', 'The body of this request is too large');
		pieces.push(piece);
	}
	const text = Buffer.concat(pieces).toString('utf8').trim();
	return text === '' ? {} : parsed(text);
}

function parsed(text: string): Record<string, unknown> {
	try {
		const body: unknown = JSON.parse(text);
		if (typeof body === 'object' && body !== null && !Array.isArray(body)) return { ...body };
	} catch {
		// Refused below.
	}
	throw expected('body', 'a JSON object', text);
}
