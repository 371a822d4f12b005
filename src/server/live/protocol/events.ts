/** The supported part of OpenAI's realtime protocol for transcription: events and their parts. */

import type { TokenLogprob } from '../../../core/speech/transcript.js';

export type AudioFormat =
	| { readonly type: 'audio/pcm'; readonly rate: number }
	| { readonly type: 'audio/pcmu' }
	| { readonly type: 'audio/pcma' };

export interface TranscriptionConfig {
	readonly model?: string;
	readonly language?: string;
	readonly languages?: readonly string[];
	readonly keywords?: readonly string[];
	readonly prompt?: string;
}

export type Eagerness = 'low' | 'medium' | 'high' | 'auto';

interface ResponseFields {
	/** No effect in a transcription session; echoed. */
	readonly create_response?: boolean;
	readonly interrupt_response?: boolean;
}

export type TurnDetection =
	| ({
			readonly type: 'server_vad';
			readonly threshold: number;
			readonly prefix_padding_ms: number;
			readonly silence_duration_ms: number;
	  } & ResponseFields)
	| ({ readonly type: 'semantic_vad'; readonly eagerness: Eagerness } & ResponseFields);

/** Names of OpenAI's live transcription models. */
export const liveModelNames: readonly string[] = ['gpt-live-transcribe', 'gpt-realtime-whisper'];

export const logprobsInclude = 'item.input_audio_transcription.logprobs';

/** Configuration of a session; a client secret stores one in advance. */
export interface SessionConfig {
	readonly format: AudioFormat;
	readonly transcription: TranscriptionConfig | null;
	readonly turnDetection: TurnDetection | null;
	readonly logprobs: boolean;
	/** Partial text during speech also from models that transcribe whole turns. */
	readonly partials: boolean;
}

/** The session in `session.created` and `session.updated`. */
export interface SessionObject {
	readonly type: 'transcription';
	readonly object: 'realtime.transcription_session';
	readonly id: string;
	readonly expires_at: number;
	readonly include: readonly string[] | null;
	readonly audio: {
		readonly input: {
			readonly format: AudioFormat;
			readonly transcription: TranscriptionConfig | null;
			readonly noise_reduction: null;
			readonly turn_detection: TurnDetection | null;
			readonly partials?: true;
		};
	};
}

export interface ItemObject {
	readonly id: string;
	readonly object: 'realtime.item';
	readonly type: 'message';
	readonly role: 'user';
	readonly status: 'completed' | 'in_progress' | 'incomplete';
	readonly content: readonly [{ readonly type: 'input_audio'; readonly transcript: string | null }];
}

export interface EventError {
	readonly type: string;
	readonly code: string;
	readonly message: string;
	readonly param: string | null;
}

const transcriptionEvent = 'conversation.item.input_audio_transcription';
export const deltaEvent = `${transcriptionEvent}.delta` as const;
export const completedEvent = `${transcriptionEvent}.completed` as const;
export const failedEvent = `${transcriptionEvent}.failed` as const;

/** Without `event_id`, which is added when the event is sent. */
export type ServerEvent =
	| { readonly type: 'session.created' | 'session.updated'; readonly session: object }
	/** For clients that use the protocol of 2024. */
	| { readonly type: 'transcription_session.updated'; readonly session: object }
	| {
			readonly type: 'input_audio_buffer.speech_started';
			readonly audio_start_ms: number;
			readonly item_id: string;
	  }
	| {
			readonly type: 'input_audio_buffer.speech_stopped';
			readonly audio_end_ms: number;
			readonly item_id: string;
	  }
	| {
			readonly type: 'input_audio_buffer.committed';
			readonly item_id: string;
			readonly previous_item_id: string | null;
	  }
	| { readonly type: 'input_audio_buffer.cleared' }
	| {
			readonly type: 'conversation.item.added' | 'conversation.item.done';
			readonly item: ItemObject;
			readonly previous_item_id: string | null;
	  }
	| { readonly type: 'conversation.item.retrieved'; readonly item: ItemObject }
	| { readonly type: 'conversation.item.deleted'; readonly item_id: string }
	| {
			readonly type: typeof deltaEvent;
			readonly item_id: string;
			readonly content_index: 0;
			readonly delta: string;
	  }
	| {
			readonly type: typeof completedEvent;
			readonly item_id: string;
			readonly content_index: 0;
			readonly transcript: string;
			readonly usage: { readonly type: 'duration'; readonly seconds: number };
			readonly languages?: readonly { readonly code: string }[];
			readonly logprobs?: readonly TokenLogprob[];
	  }
	| {
			readonly type: typeof failedEvent;
			readonly item_id: string;
			readonly content_index: 0;
			readonly error: EventError;
	  }
	| { readonly type: 'error'; readonly error: EventError & { readonly event_id: string | null } };

/** The refusal of a client event. The session continues. */
export class Refused extends Error {
	readonly error: EventError;

	constructor(code: string, message: string, param: string | null = null, type = 'invalid_request_error') {
		super(message);
		this.error = { type, code, message, param };
	}
}
