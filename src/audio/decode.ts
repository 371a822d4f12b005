/** Decodes audio in any container to 16 kHz mono PCM, as it is read. */

import type * as Binding from '../../binding.js';
import { addon, guarded } from '../addon/addon.js';
import { EarshotError } from '../core/errors.js';
import { minRecordingSeconds, sampleRate } from '../core/speech/pcm.js';
import type { Recording } from '../core/speech/recording.js';

export interface DecodeLimits {
	/** Longer recordings are refused. */
	readonly maxAudioSeconds: number;
}

/**
 * A recording being decoded. One call at a time. Calls throw `audio_unsupported`, `audio_too_short` or
 * `audio_too_long`, each naming `file`, and `cancelled` after `close`.
 */
export interface AudioReader {
	/** Called first, once. Returns the duration declared by the container in seconds, often wrong; null if none. */
	open(): Promise<number | null>;
	/** Fills `into` with the next samples and returns their count, less than its length only at the end. */
	read(into: Float32Array): Promise<number>;
	/** Whether the file is cut off before the end of its recording; known once the end was read. */
	readonly truncated: boolean;
	/** Number of channels of the recording; known once it is open. */
	readonly channels: number;
	/** Cancels the running call. Safe to call twice. */
	close(): Promise<void>;
}

/** `channel`: the only channel to decode, from 0; absent = all channels, mixed. */
export type OpenAudio = (recording: Recording, channel?: number) => AudioReader;

export function decoder({ maxAudioSeconds }: DecodeLimits): OpenAudio {
	return (recording, channel) => {
		let reader: Binding.AudioReader | undefined;
		let total = 0;
		let truncated = false;
		let channels = 0;
		return {
			async open() {
				const info = await decoding(async () => {
					const source = 'bytes' in recording ? recording.bytes : recording.path;
					const only = channel === undefined ? {} : { channel };
					reader = addon().openAudio(source, { maxSeconds: maxAudioSeconds, ...only });
					return await reader.open();
				});
				({ channels } = info);
				const { declaredSeconds } = info;
				// A declared duration above the limit is wrong: the addon has checked it by decoding.
				return declaredSeconds > 0 && declaredSeconds <= maxAudioSeconds ? declaredSeconds : null;
			},
			async read(into) {
				const from = reader;
				if (!from) throw new EarshotError('internal', 'the recording was read before it was opened');
				const { count, ...read } = await decoding(() => from.read(into));
				total += count;
				({ truncated } = read);
				if (count < into.length) checkLength(total / sampleRate);
				return count;
			},
			get truncated() {
				return truncated;
			},
			get channels() {
				return channels;
			},
			close: async () => await reader?.close(),
		};
	};
}

function checkLength(duration: number): void {
	if (duration >= minRecordingSeconds) return;
	throw new EarshotError(
		'audio_too_short',
		`Audio file is too short: ${duration.toFixed(3)} seconds. Minimum audio length is ${minRecordingSeconds} seconds.`,
		{ param: 'file' },
	);
}

/** The formats in OpenAI's own message; FFmpeg reads many more. */
const commonFormats = 'flac, m4a, mp3, mp4, mpeg, mpga, oga, ogg, wav, webm';

async function decoding<T>(work: () => Promise<T>): Promise<T> {
	try {
		return await guarded(work);
	} catch (thrown) {
		if (!(thrown instanceof EarshotError) || thrown.code !== 'audio_unsupported') throw thrown;
		throw new EarshotError(
			'audio_unsupported',
			`Invalid file format or broken file: ${thrown.message}. Supported formats: ${commonFormats} and any other that FFmpeg reads.`,
			{ param: 'file', cause: thrown },
		);
	}
}
