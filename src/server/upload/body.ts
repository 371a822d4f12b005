/** Stores a body that is the recording itself, within the limits of an upload. */

import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { abortable } from '../../core/abort.js';
import type { Upload } from './form.js';
import { tooLarge, type UploadLimits } from './limits.js';
import { RecordingSink, written } from './sink.js';

export interface BodyOptions {
	/** Bytes, as its headers say; 0 = they do not. */
	readonly declared: number;
	readonly limits: UploadLimits;
	readonly signal: AbortSignal;
}

/** `pieces`: the body. Throws `upload_too_large`, `overloaded`, what reading it throws, and `cancelled` when the signal
 * aborts; nothing is left of it then. */
export async function storeBody(
	pieces: AsyncIterable<Uint8Array>,
	{ declared, limits, signal }: BodyOptions,
): Promise<Omit<Upload, 'fields'>> {
	const reservation = limits.inFlight.begin(declared);
	const sink = new RecordingSink(join(limits.directory, randomUUID()), limits.memoryUploadBytes, reservation);
	sink.on('error', () => {
		// The write that failed reports it.
	});
	const discard = async (): Promise<void> => {
		await sink.discard();
		reservation.release();
	};
	try {
		await abortable(fill(sink, pieces, limits.maxUploadBytes, signal), signal, 'upload');
		return { recording: sink.recording(), bytes: sink.size, discard };
	} catch (thrown) {
		await discard();
		throw thrown;
	}
}

async function fill(
	sink: RecordingSink,
	pieces: AsyncIterable<Uint8Array>,
	maxBytes: number,
	signal: AbortSignal,
): Promise<void> {
	let bytes = 0;
	for await (const piece of pieces) {
		bytes += piece.length;
		if (signal.aborted) return;
		if (bytes > maxBytes) throw tooLarge(maxBytes, bytes);
		await written((done) => sink.write(piece, done));
	}
	await written((done) => sink.end(done));
}
