/** Receives a body that is the recording itself, with the request's fields in the query. */

import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { Context } from 'koa';
import { whileWanted } from '../../abort.js';
import { expected } from '../../errors.js';
import type { FormFields } from '../request/fields/fields.js';
import type { Upload } from './form.js';
import { tooLarge, type UploadLimits } from './limits.js';
import { RecordingSink, written } from './sink.js';

/** Media types of recordings; the actual format is detected from the bytes. */
export const rawTypes = /^(audio\/|video\/|application\/(octet-stream|ogg) *(;|$))/i;

/** Throws `cancelled` when the signal aborts. */
export async function receiveRaw(ctx: Context, limits: UploadLimits, signal: AbortSignal): Promise<Upload> {
	const reservation = limits.inFlight.begin(ctx.request.length ?? 0);
	const sink = new RecordingSink(join(limits.directory, randomUUID()), limits.memoryUploadBytes, reservation);
	sink.on('error', () => {
		// The write that failed reports it.
	});
	const discard = async (): Promise<void> => {
		await sink.discard();
		reservation.release();
	};
	try {
		await whileWanted(fill(sink, ctx, limits.maxUploadBytes, signal), signal, 'upload');
		if (sink.size === 0) throw expected('file', 'a recording', 'an empty body');
		return { recording: sink.recording(), bytes: sink.size, fields: queryFields(ctx), discard };
	} catch (thrown) {
		await discard();
		throw thrown;
	}
}

async function fill(
	sink: RecordingSink,
	{ req }: Context,
	maxBytes: number,
	signal: AbortSignal,
): Promise<void> {
	let bytes = 0;
	// Leaving the loop must not close the connection, since a refusal is still sent on it.
	for await (const piece of req.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
		bytes += piece.length;
		if (signal.aborted) return;
		if (bytes > maxBytes) throw tooLarge(maxBytes, bytes);
		await written((done) => sink.write(piece, done));
	}
	await written((done) => sink.end(done));
}

function queryFields({ querystring }: Context): FormFields {
	const query = new URLSearchParams(querystring);
	return new Map([...query.keys()].map((name) => [name, query.getAll(name)]));
}
