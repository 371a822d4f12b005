/** Receives the body of a recording that a gateway sends: the options, then the recording. */

import type { IncomingMessage } from 'node:http';
import { EarshotError } from '../../core/errors.js';
import type { TranscribeOptions } from '../../core/speech/options.js';
import type { Recording } from '../../core/speech/recording.js';
import { decodeOptions } from '../../jobs/encode-options.js';
import { storeBody } from '../../server/upload/body.js';
import type { UploadLimits } from '../../server/upload/limits.js';
import { maxOptionsBytes, optionsHeader } from './protocol.js';

export interface DirectRecording {
	readonly options: TranscribeOptions;
	/** In memory if it is small. */
	readonly recording: Recording;
	/** Removes its file. */
	readonly discard: () => Promise<void>;
}

/** Throws `invalid_request`, `cancelled` when the signal aborts, and what reading the body throws; nothing is left of it
 * then. */
export async function receiveDirect(
	request: IncomingMessage,
	limits: UploadLimits,
	signal: AbortSignal,
): Promise<DirectRecording> {
	const length = Number(request.headers[optionsHeader]);
	if (!Number.isInteger(length) || length < 2 || length > maxOptionsBytes)
		throw new EarshotError(
			'invalid_request',
			`Expected \`${optionsHeader}\` to be a number of bytes from 2 to ${maxOptionsBytes}, got \`${request.headers[optionsHeader]}\``,
		);
	// The response to a refused body is still sent on the connection.
	const pieces = request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
	const head = new Head(length);
	const body = await storeBody(head.rest(pieces), { declared: 0, limits, signal });
	try {
		return { options: decodeOptions(head.text()), recording: body.recording, discard: body.discard };
	} catch (thrown) {
		await body.discard();
		throw thrown;
	}
}

/** The first `length` bytes of a body. */
class Head {
	readonly #length: number;
	readonly #pieces: Buffer[] = [];

	constructor(length: number) {
		this.#length = length;
	}

	/** Passes on what follows the head. */
	async *rest(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
		let left = this.#length;
		for await (const piece of pieces) {
			if (left > 0) this.#pieces.push(piece.subarray(0, left));
			if (piece.length > left) yield piece.subarray(left);
			left = Math.max(0, left - piece.length);
		}
		if (left > 0) throw new EarshotError('invalid_request', 'The body ends before its options do');
	}

	text(): string {
		return Buffer.concat(this.#pieces).toString('utf8');
	}
}
