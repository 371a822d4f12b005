/** Receives a body that is the recording itself, with the request's fields in the query. */

import type { Context } from 'koa';
import { expected } from '../../core/errors.js';
import type { FormFields } from '../request/fields/fields.js';
import { storeBody } from './body.js';
import type { Upload } from './form.js';
import type { UploadLimits } from './limits.js';

/** Media types of recordings; the actual format is detected from the bytes. */
export const rawTypes = /^(audio\/|video\/|application\/(octet-stream|ogg) *(;|$))/i;

/** Throws `cancelled` when the signal aborts. */
export async function receiveRaw(ctx: Context, limits: UploadLimits, signal: AbortSignal): Promise<Upload> {
	// A refusal is still sent on the connection, which must not be closed where reading ends early.
	const pieces: AsyncIterable<Buffer> = ctx.req.iterator({ destroyOnReturn: false });
	const body = await storeBody(pieces, { declared: ctx.request.length ?? 0, limits, signal });
	if (body.bytes === 0) {
		await body.discard();
		throw expected('file', 'a recording', 'an empty body');
	}
	return { ...body, fields: queryFields(ctx) };
}

function queryFields({ querystring }: Context): FormFields {
	const query = new URLSearchParams(querystring);
	return new Map([...query.keys()].map((name) => [name, query.getAll(name)]));
}
