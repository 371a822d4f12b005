/** Options of a transcription as bytes, for a process on another machine. */

import { readFile } from 'node:fs/promises';
import type { TranscribeOptions } from '../speech/options.js';
import type { KnownVoice, SpeakerOptions } from '../speech/speakers.js';

interface Bytes {
	readonly $base64: string;
}

/** Files are read, since the other process cannot. */
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
	// Not a Buffer, which JSON would write as numbers before the replacer sees it.
	return { ...voice, reference: { bytes: new Uint8Array(bytes) } };
}

export function decodeOptions(text: string): TranscribeOptions & { readonly speakers?: SpeakerOptions } {
	return JSON.parse(text, (_, value: unknown) =>
		isBytes(value) ? new Uint8Array(Buffer.from(value.$base64, 'base64')) : value,
	) as TranscribeOptions;
}

const isBytes = (value: unknown): value is Bytes =>
	typeof value === 'object' && value !== null && '$base64' in value && typeof value.$base64 === 'string';
