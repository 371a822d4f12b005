/** Parses the events of clients. Pure. */

import { isRecord } from '../../../core/is-record.js';
import { checkBounds } from './bounds.js';
import { Refused } from './events.js';
import { Reader } from './reader.js';

interface WithId {
	/** The client's own id of the event, for errors about it. */
	readonly eventId: string | null;
}

export type ClientEvent = WithId &
	(
		| {
				readonly type: 'update';
				readonly session: unknown;
				/** Form of the response. */
				readonly form: 'transcription' | 'conversation' | 'old';
		  }
		| { readonly type: 'append'; readonly audio: Uint8Array }
		| { readonly type: 'commit' }
		| { readonly type: 'clear' }
		| { readonly type: 'retrieve' | 'delete'; readonly itemId: string }
	);

/** Maximum audio of one event after decoding, the same as OpenAI's. */
export const maxAppendBytes = 15 * 2 ** 20;

/** Events of conversations, which transcription sessions do not support. */
const conversationEvents = [
	'conversation.item.create',
	'conversation.item.truncate',
	'response.create',
	'response.cancel',
	'output_audio_buffer.clear',
];

/** Throws Refused. */
export function readClientEvent(given: unknown): ClientEvent {
	if (!isRecord(given))
		throw new Refused('invalid_value', 'Expected an event to be a JSON object, got another value');
	const event = new Reader(given, '');
	const type = event.text('type');
	const id = event.text('event_id');
	const eventId = id === undefined ? null : shortenedId(id);
	switch (type ?? '') {
		case 'session.update':
			event.allow('type', 'event_id', 'session');
			return { eventId, type: 'update', session: readSessionField(event), form: formOf(event) };
		case 'transcription_session.update':
			event.allow('type', 'event_id', 'session');
			return { eventId, type: 'update', session: readSessionField(event), form: 'old' };
		case 'input_audio_buffer.append':
			event.allow('type', 'event_id', 'audio');
			return { eventId, type: 'append', audio: readAudio(event) };
		case 'input_audio_buffer.commit':
		case 'input_audio_buffer.clear':
			event.allow('type', 'event_id');
			return { eventId, type: type === 'input_audio_buffer.commit' ? 'commit' : 'clear' };
		case 'conversation.item.retrieve':
		case 'conversation.item.delete': {
			event.allow('type', 'event_id', 'item_id');
			const itemId = event.text('item_id');
			if (itemId === undefined) throw event.refuse('item_id', 'the id of an item', itemId);
			return { eventId, type: type === 'conversation.item.retrieve' ? 'retrieve' : 'delete', itemId };
		}
		default:
			throw unknownEvent(type);
	}
}

/** The beginning of an event's id, which may be megabytes. A copy, since a slice would keep all of it in memory. */
export function shortenedId(id: string): string {
	const max = 512;
	return id.length <= max ? id : Buffer.from(id.slice(0, max), 'utf16le').toString('utf16le');
}

function unknownEvent(type: string | undefined): Refused {
	if (type !== undefined && conversationEvents.includes(type))
		return new Refused('invalid_request', `\`${type}\` is not for sessions that only transcribe`, 'type');
	const name = type === undefined ? 'nothing' : `\`${type.slice(0, 80)}\``;
	return new Refused(
		'unknown_event',
		`Expected \`type\` to be an event of transcription sessions, such as \`input_audio_buffer.append\`, got ${name}`,
		'type',
	);
}

function readSessionField(event: Reader): unknown {
	const session = event.value('session');
	checkBounds(session);
	return session;
}

function formOf(event: Reader): 'transcription' | 'conversation' {
	const session = event.value('session');
	const isConversation =
		typeof session === 'object' && session !== null && 'type' in session && session.type === 'realtime';
	return isConversation ? 'conversation' : 'transcription';
}

function readAudio(event: Reader): Uint8Array {
	const text = event.text('audio');
	if (text === undefined) throw event.refuse('audio', 'base64 of audio', text);
	const audio = Buffer.from(text, 'base64');
	if (audio.length > maxAppendBytes)
		throw new Refused(
			'audio_too_large',
			`Expected \`audio\` to be at most ${maxAppendBytes} bytes, got ${audio.length}: send it in several events`,
			'audio',
		);
	// Node skips characters that are not base64, so a wrong encoding would silently yield wrong audio.
	if (Math.abs(audio.length - (text.replace(/=+$/, '').length * 3) / 4) >= 1)
		throw event.refuse('audio', 'base64 of audio', text.slice(0, 40));
	return audio;
}
