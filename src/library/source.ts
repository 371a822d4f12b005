/** Converts the sources that the library accepts to recordings that Earshot reads. */

import { access, constants } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { isAnyArrayBuffer, isFloat32Array, isUint8Array } from 'node:util/types';
import { EarshotError, expected, reasonOf } from '../core/errors.js';
import type { Recording } from '../core/speech/recording.js';
import { type Spooled, type Stream, spooled } from './spool.js';
import { type Pcm, wavOf } from './wav.js';

/**
 * An audio file in any container (WAV, MP3, FLAC, Ogg, M4A, WebM …): its path, its `file:` URL, its bytes, a Blob or File,
 * or a stream, which is read to its end first. Or samples. Bytes and samples are copied during the call.
 */
export type Source = string | URL | Uint8Array | ArrayBuffer | SharedArrayBuffer | Blob | Stream | Pcm;

const kinds = 'a path, a `file:` URL, bytes, a Blob, a stream of bytes, or `{ samples, sampleRate }`';

const nothingToRelease = async (): Promise<void> => {};

/**
 * Copies sources in memory before it returns, so that the caller may reuse the buffer. The returned function reads
 * asynchronous sources. Throws `invalid_request`.
 */
export function taken(source: Source): (signal: AbortSignal) => Promise<Spooled> {
	try {
		return readerOf(source);
	} catch (thrown) {
		if (thrown instanceof EarshotError) throw thrown;
		// A value that cannot be inspected, or that is too large to be copied.
		const { message, param } = expected('source', kinds, source);
		throw new EarshotError('invalid_request', message, { cause: thrown, param });
	}
}

function readerOf(source: Source): (signal: AbortSignal) => Promise<Spooled> {
	if (typeof source === 'string') return () => fromPath(source);
	if (typeof source !== 'object' || source === null) throw expected('source', kinds, source);
	// Not by `instanceof`, which recognises only classes of this realm.
	if (isUint8Array(source)) return inMemory({ bytes: source.slice() });
	if (isAnyArrayBuffer(source)) return inMemory({ bytes: new Uint8Array(source).slice() });
	if (isFloat32Array(source)) throw expected('source', `${kinds}: samples need their rate`, source);
	if (ArrayBuffer.isView(source)) throw expected('source', kinds, source);
	if (isPcm(source)) return inMemory({ bytes: wavOf(source) });
	if (isUrl(source)) return () => fromPath(pathOf(source));
	if (isBlob(source)) return (signal) => spooled(source.stream(), signal);
	if (isStream(source)) return (signal) => spooled(source, signal);
	throw expected('source', kinds, source);
}

function inMemory(recording: Recording): () => Promise<Spooled> {
	return () => Promise.resolve({ recording, release: nothingToRelease });
}

async function fromPath(file: string): Promise<Spooled> {
	return { recording: await readable(file), release: nothingToRelease };
}

/** Throws `audio_unsupported` naming `source` for a path that cannot be read, rather than blaming the audio. */
export async function readable(file: string): Promise<Recording> {
	try {
		await access(file, constants.R_OK);
	} catch (cause) {
		const why = reasonOf(cause);
		const hint = /^https?:/i.test(file)
			? '; to transcribe what is elsewhere, give `(await fetch(url)).body`'
			: /^file:/i.test(file)
				? '; a text is a path: give `new URL(text)`'
				: '';
		throw new EarshotError('audio_unsupported', `the recording cannot be read: ${why}${hint}`, {
			cause,
			param: 'source',
		});
	}
	return { path: file };
}

function isPcm(source: object): source is Pcm {
	if (!('samples' in source)) return false;
	if (!isFloat32Array(source.samples)) throw expected('source.samples', 'a Float32Array', source.samples);
	return true;
}

function isUrl(source: object): source is URL {
	return 'href' in source && typeof source.href === 'string' && 'protocol' in source;
}

function pathOf(url: URL): string {
	try {
		return fileURLToPath(url.href);
	} catch (cause) {
		const hint = /^https?:$/.test(url.protocol)
			? '; for what is elsewhere, give `(await fetch(url)).body`'
			: '';
		const { message, param } = expected('source', 'a `file:` URL of this machine', url.href);
		throw new EarshotError('invalid_request', message + hint, { cause, param });
	}
}

function isBlob(source: object): source is Blob {
	return 'stream' in source && typeof source.stream === 'function' && 'size' in source && 'type' in source;
}

function isStream(source: object): source is Stream {
	return Symbol.asyncIterator in source || ('getReader' in source && typeof source.getReader === 'function');
}
