/** Serializes the options of a transcription for a process on another machine. */

import { readFile } from 'node:fs/promises';
import { expected } from '../core/errors.js';
import type { TranscribeOptions } from '../core/speech/options.js';
import type { KnownVoice, SpeakerOptions } from '../core/speech/speakers.js';

interface Bytes {
	readonly $base64: string;
}

/** Embeds the contents of referenced files, which the other process cannot read. */
export async function encodeOptions(options: TranscribeOptions): Promise<Buffer> {
	const { speakers } = options;
	const known = await Promise.all((speakers?.known ?? []).map(withBytes));
	const sent = { ...options, ...(speakers && { speakers: { ...speakers, known } }) };
	return Buffer.from(
		JSON.stringify(sent, (_, value: unknown) =>
			value instanceof Uint8Array
				? ({ $base64: Buffer.from(value).toString('base64') } satisfies Bytes)
				: value,
		),
	);
}

async function withBytes(voice: KnownVoice): Promise<KnownVoice> {
	const { reference } = voice;
	if ('voice' in reference) return voice;
	const bytes = 'path' in reference ? await readFile(reference.path) : reference.bytes;
	// A Buffer's toJSON() would turn it into an array of numbers before the replacer is called.
	return { ...voice, reference: { bytes: new Uint8Array(bytes) } };
}

/** Throws `invalid_request`. */
export function decodeOptions(text: string): TranscribeOptions & { readonly speakers?: SpeakerOptions } {
	try {
		const options: unknown = JSON.parse(text, (_, value: unknown) =>
			isBytes(value) ? new Uint8Array(Buffer.from(value.$base64, 'base64')) : value,
		);
		if (typeof options === 'object' && options !== null) return options as TranscribeOptions;
	} catch {
		// Reported by the throw below.
	}
	throw expected('options', 'an object in JSON', text);
}

const isBytes = (value: unknown): value is Bytes =>
	typeof value === 'object' && value !== null && '$base64' in value && typeof value.$base64 === 'string';
