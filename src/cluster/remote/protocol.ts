/** What a gateway and a worker say to each other over HTTP. */

import { readFile } from 'node:fs/promises';
import { expected, type WireError } from '../../errors.js';
import type { ModelInfo } from '../../speech/model-info.js';
import type { TranscribeOptions } from '../../speech/options.js';
import type { KnownVoice, SpeakerOptions } from '../../speech/speakers.js';
import type { TranscriptEvent } from '../../speech/transcript.js';

/** A worker refuses messages of another one. */
export const clusterProtocol = 1;

export const clusterPaths = {
	/** The recording is the body; the answer is a `WorkerReply` on each line. */
	transcribe: '/cluster/v1/transcribe',
	/** Loads a model, and tells what it is. */
	load: '/cluster/v1/load',
	unload: '/cluster/v1/unload',
} as const;

/** How long the options are, which come before the recording, bytes. */
export const optionsHeader = 'x-earshot-options-bytes';
export const protocolHeader = 'x-earshot-cluster-protocol';

/** Prompts, references of known speakers, and all enrolled voices are in them: 4 kB each, of as many as there can be. */
export const maxOptionsBytes = 64 << 20;

export type WorkerReply =
	| { readonly info: ModelInfo }
	| { readonly event: TranscriptEvent }
	| { readonly error: WireError }
	/** Nothing has happened; it is there. */
	| { readonly alive: true };

export const aliveEveryMs = 5000;

interface Bytes {
	readonly $base64: string;
}

/** Files are read, since the worker cannot. */
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

/** Throws `invalid_request`. */
export function decodeOptions(text: string): TranscribeOptions & { readonly speakers?: SpeakerOptions } {
	try {
		const options: unknown = JSON.parse(text, (_, value: unknown) =>
			isBytes(value) ? new Uint8Array(Buffer.from(value.$base64, 'base64')) : value,
		);
		if (typeof options === 'object' && options !== null) return options as TranscribeOptions;
	} catch {
		// Refused below.
	}
	throw expected('options', 'an object in JSON', text);
}

const isBytes = (value: unknown): value is Bytes =>
	typeof value === 'object' && value !== null && '$base64' in value && typeof value.$base64 === 'string';
