/** Converts a session's configuration to the objects that clients receive. Pure. */

import { type AudioFormat, logprobsInclude, type SessionConfig, type SessionObject } from './events.js';

export interface SessionIdentity {
	readonly id: string;
	/** Unix seconds; 0 = never. */
	readonly expiresAt: number;
}

export function sessionObject(config: SessionConfig, { id, expiresAt }: SessionIdentity): SessionObject {
	return {
		type: 'transcription',
		object: 'realtime.transcription_session',
		id,
		expires_at: expiresAt,
		include: config.logprobs ? [logprobsInclude] : null,
		audio: {
			input: {
				format: config.format,
				transcription: config.transcription,
				noise_reduction: null,
				turn_detection: config.turnDetection,
				...(config.partials && { partials: true }),
			},
		},
	};
}

const oldFormats: Readonly<Record<AudioFormat['type'], string>> = {
	'audio/pcm': 'pcm16',
	'audio/pcmu': 'g711_ulaw',
	'audio/pcma': 'g711_alaw',
};

/** The flat form of 2024. */
export function oldSessionObject(config: SessionConfig, { id, expiresAt }: SessionIdentity): object {
	return {
		id,
		object: 'realtime.transcription_session',
		expires_at: expiresAt,
		modalities: ['text'],
		input_audio_format: oldFormats[config.format.type],
		input_audio_transcription: config.transcription,
		input_audio_noise_reduction: null,
		turn_detection: config.turnDetection,
		include: config.logprobs ? [logprobsInclude] : null,
	};
}

/** For clients that open a conversation session but use only its transcripts. */
export function conversationObject(config: SessionConfig, identity: SessionIdentity, given: object): object {
	const { audio, ...rest } = sessionObject(config, identity);
	return { ...given, ...rest, type: 'realtime', object: 'realtime.session', audio };
}
