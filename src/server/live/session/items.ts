/** The items of a session, which represent turns in the protocol. Keeps the order that the protocol promises. Pure. */

import type { EarshotError } from '../../../core/errors.js';
import type { LiveText } from '../../../core/live/live.js';
import { eventError } from '../protocol/errors.js';
import {
	completedEvent,
	deltaEvent,
	failedEvent,
	type ItemObject,
	type ServerEvent,
} from '../protocol/events.js';

interface Item {
	readonly id: string;
	isCommitted: boolean;
	isDone: boolean;
	/** `speech_started` was sent, and `speech_stopped` was not. */
	isSpeaking: boolean;
	transcript: string | null;
	/** The final event, held back while items committed earlier have none. */
	end: ServerEvent | undefined;
}

/** Maximum number of items that can be retrieved. */
const maxKept = 100;

export class Items {
	readonly #newId: () => string;
	/** Items of the current stream's turns. */
	readonly #ofTurns = new Map<number, Item>();
	/** Committed items, the oldest first. */
	readonly #kept = new Map<string, Item>();
	/** Committed items whose final event was not sent, in order. */
	readonly #unended: Item[] = [];
	#previous: string | null = null;

	constructor(newId: () => string) {
		this.#newId = newId;
	}

	started(turn: number, atMs: number): ServerEvent[] {
		const item = this.#of(turn);
		item.isSpeaking = true;
		return [
			{
				type: 'input_audio_buffer.speech_started',
				audio_start_ms: Math.round(atMs),
				item_id: item.id,
			},
		];
	}

	stopped(turn: number, atMs: number): ServerEvent[] {
		const item = this.#of(turn);
		item.isSpeaking = false;
		return [{ type: 'input_audio_buffer.speech_stopped', audio_end_ms: Math.round(atMs), item_id: item.id }];
	}

	committed(turn: number): ServerEvent[] {
		const item = this.#of(turn);
		// Turns are committed in order: an earlier turn without a commit never gets one.
		for (const [other, { isCommitted }] of this.#ofTurns)
			if (other < turn && !isCommitted) this.#ofTurns.delete(other);
		return this.#commit(item);
	}

	/** Removes the item of a turn that is not committed. */
	dropped(turn: number): void {
		if (this.#ofTurns.get(turn)?.isCommitted === false) this.#ofTurns.delete(turn);
	}

	/** Forgets the turns of a stream that has ended: the next stream numbers its turns from 0. */
	streamOver(): void {
		this.#ofTurns.clear();
	}

	delta(turn: number, delta: string): ServerEvent[] {
		const item = this.#of(turn);
		item.transcript = (item.transcript ?? '') + delta;
		return [{ type: deltaEvent, item_id: item.id, content_index: 0, delta }];
	}

	completed(turn: number, { text, language, seconds, logprobs }: LiveText): ServerEvent[] {
		const item = this.#of(turn);
		item.transcript = text;
		return this.#end(turn, {
			type: completedEvent,
			item_id: item.id,
			content_index: 0,
			transcript: text,
			usage: { type: 'duration', seconds: Number(seconds.toFixed(3)) },
			...(language !== null && { languages: [{ code: language }] }),
			...(logprobs && { logprobs }),
		});
	}

	failed(turn: number, error: EarshotError): ServerEvent[] {
		const { id } = this.#of(turn);
		return this.#end(turn, { type: failedEvent, item_id: id, content_index: 0, error: eventError(error) });
	}

	/** Fails all unfinished turns, in order; those not committed yet end at `atMs`. */
	failAll(error: EarshotError, atMs: number): ServerEvent[] {
		const turns = [...this.#ofTurns].sort(([a], [b]) => a - b);
		return turns.flatMap(([turn, item]) => [
			...(item.isSpeaking ? this.stopped(turn, atMs) : []),
			...(item.isCommitted ? [] : this.#commit(item)),
			...this.failed(turn, error),
		]);
	}

	/** Commits and fails a turn whose audio was lost, so that its commit has a response. */
	failUnknown(error: EarshotError): ServerEvent[] {
		const unknown = Number.MAX_SAFE_INTEGER;
		return [...this.#commit(this.#of(unknown)), ...this.failed(unknown, error)];
	}

	retrieve(id: string): ItemObject | undefined {
		const item = this.#kept.get(id);
		return item && objectOf(item);
	}

	/** Returns whether the item existed. */
	delete(id: string): boolean {
		return this.#kept.delete(id);
	}

	#of(turn: number): Item {
		const known = this.#ofTurns.get(turn);
		if (known) return known;
		const item: Item = {
			id: this.#newId(),
			isCommitted: false,
			isDone: false,
			isSpeaking: false,
			transcript: null,
			end: undefined,
		};
		this.#ofTurns.set(turn, item);
		return item;
	}

	#commit(item: Item): ServerEvent[] {
		const previous = { previous_item_id: this.#previous };
		this.#previous = item.id;
		item.isCommitted = true;
		item.isSpeaking = false;
		this.#unended.push(item);
		this.#kept.set(item.id, item);
		for (const [id, { isDone }] of this.#kept) {
			if (this.#kept.size <= maxKept) break;
			if (isDone) this.#kept.delete(id);
		}
		const object = objectOf(item);
		return [
			{ type: 'input_audio_buffer.committed', item_id: item.id, ...previous },
			{ type: 'conversation.item.added', item: object, ...previous },
			{ type: 'conversation.item.done', item: object, ...previous },
		];
	}

	/** Takes the final event of a turn. Returns the final events that can be sent now. */
	#end(turn: number, end: ServerEvent): ServerEvent[] {
		this.#of(turn).end = end;
		this.#ofTurns.delete(turn);
		const ready: ServerEvent[] = [];
		for (let [item] = this.#unended; item?.end; [item] = this.#unended) {
			ready.push(item.end);
			item.isDone = true;
			this.#unended.shift();
		}
		return ready;
	}
}

/** `transcript` is null until the item is done: partial text is sent only in deltas. */
function objectOf({ id, transcript, isDone }: Item): ItemObject {
	return {
		id,
		object: 'realtime.item',
		type: 'message',
		role: 'user',
		status: 'completed',
		content: [{ type: 'input_audio', transcript: isDone ? transcript : null }],
	};
}
