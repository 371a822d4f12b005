/** What live sessions send is what OpenAI's client declares. Compiled by `npm run check`, never run. */

import type { RealtimeServerEvent } from 'openai/resources/realtime/realtime';
import type { SentEvent } from '../../src/server/live/session/outbox.js';

/** The client declares no array as read-only. */
type Mutable<T> = T extends readonly (infer Element)[]
	? Mutable<Element>[]
	: T extends object
		? { -readonly [Key in keyof T]: Mutable<T[Key]> }
		: T;

/** Of sessions the client declares a rate of 24,000 alone, and neither a transcript nor a parameter that is null, though
 * OpenAI sends those; the names of 2024 it has forgotten. */
type Declared = Exclude<
	SentEvent,
	| { type: 'session.created' | 'session.updated' | 'transcription_session.updated' }
	| { type: 'conversation.item.added' | 'conversation.item.done' | 'conversation.item.retrieved' }
	| { type: 'conversation.item.input_audio_transcription.failed' }
>;

export function declared(event: Mutable<Declared>): RealtimeServerEvent {
	return event;
}
