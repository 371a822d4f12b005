/** Bytes in any container to 16 kHz mono PCM. */

import { addon, guarded } from '../engines/native.js';
import { EarshotError } from '../errors.js';
import type { Recording } from '../transcriber/transcriber.js';
import { type Audio, minRecordingSeconds, sampleRate } from './audio.js';

export interface DecodeLimits {
	/** Longer recordings are refused. */
	readonly maxAudioSeconds: number;
}

export type Decode = (recording: Recording) => Promise<Audio>;

/** Throws `audio_unsupported`, `audio_too_short` or `audio_too_long`, each naming `file`. */
export function decoder({ maxAudioSeconds }: DecodeLimits): Decode {
	return async (recording) => {
		const source = 'bytes' in recording ? recording.bytes : recording.path;
		const { samples } = await decodeAudio(source, maxAudioSeconds);
		const duration = samples.length / sampleRate;
		if (duration < minRecordingSeconds) {
			throw new EarshotError(
				'audio_too_short',
				`Audio file is too short: ${duration.toFixed(3)} seconds. Minimum audio length is ${minRecordingSeconds} seconds.`,
				{ param: 'file' },
			);
		}
		return { samples, duration };
	};
}

/** What OpenAI's own message lists; FFmpeg reads many more. */
const usualFormats = 'flac, m4a, mp3, mp4, mpeg, mpga, oga, ogg, wav, webm';

async function decodeAudio(
	source: Uint8Array | string,
	maxSeconds: number,
): Promise<{ samples: Float32Array }> {
	try {
		return await guarded(() => addon().decodeAudio(source, { maxSeconds }));
	} catch (thrown) {
		if (!(thrown instanceof EarshotError) || thrown.code !== 'audio_unsupported') throw thrown;
		throw new EarshotError(
			'audio_unsupported',
			`Invalid file format or broken file: ${thrown.message}. Supported formats: ${usualFormats} and whatever else FFmpeg reads.`,
			{ param: 'file', cause: thrown },
		);
	}
}
