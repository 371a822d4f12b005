/** The audio of a session: its stream on a model, the appended audio, and the resulting items. Pure. */

import type { EarshotError } from '../../../core/errors.js';
import { type LiveEvent, type LiveOptions, secondsOfBytes } from '../../../core/live/live.js';
import type { ClientEvent } from '../protocol/client-events.js';
import { refusedAs } from '../protocol/errors.js';
import { Refused } from '../protocol/events.js';
import { Items } from './items.js';
import type { Outbox } from './outbox.js';

/** An event of a turn, except `cleared`. */
type TurnEvent = Exclude<Extract<LiveEvent, { readonly turn?: number }>, { readonly type: 'cleared' }>;

interface Stream {
	readonly number: number;
	/** Position in the session's audio at which the stream begins. */
	readonly offsetMs: number;
	options: LiveOptions;
	hasProcessed: boolean;
}

/** A command without a response so far. */
type PendingCommand =
	| { readonly type: 'commit'; readonly number: number; readonly eventId: string | null }
	| { readonly type: 'clear' | 'configure'; readonly number: number };

export class Listening {
	readonly #outbox: Outbox;
	readonly #items: Items;
	#stream: Stream | undefined;
	#nextNumber = 1;
	/** Length of all appended audio. */
	#appendedMs = 0;
	/** Position up to which the model has processed the audio. */
	#processedMs = 0;
	/** Length of the audio since the last commit or clear; without voice activity detection it is the next turn. */
	#uncommittedMs = 0;
	/** Why part of the uncommitted audio was lost; undefined if none was. */
	#lostAudio: EarshotError | undefined;
	/** Number of successive streams that were lost before they processed any audio. */
	#deadStreams = 0;
	#pending: PendingCommand[] = [];

	constructor(outbox: Outbox, newItemId: () => string) {
		this.#outbox = outbox;
		this.#items = new Items(newItemId);
	}

	get isOpen(): boolean {
		return this.#stream !== undefined;
	}

	get appendedMs(): number {
		return this.#appendedMs;
	}

	get processedMs(): number {
		return this.#processedMs;
	}

	/** Length of the unprocessed audio. */
	get lagMs(): number {
		return Math.max(0, this.#appendedMs - this.#processedMs);
	}

	/** Number of commits, clears and configurations that the model has not answered. */
	get unanswered(): number {
		return this.#pending.length;
	}

	/** Whether there is audio that waits for the client's commit. */
	get awaitsCommit(): boolean {
		return this.#stream?.options.turns === null && this.#uncommittedMs > 0;
	}

	open(options: LiveOptions): void {
		const number = this.#nextNumber++;
		this.#stream = { number, offsetMs: this.#appendedMs, options, hasProcessed: false };
		this.#processedMs = this.#appendedMs;
		this.#outbox.push({ type: 'listen', stream: number, options });
	}

	configure(options: LiveOptions): void {
		// Audio from before voice activity detection counts as silence.
		if (options.turns !== null) this.#forgetAudio();
		if (!this.#stream) return;
		this.#stream.options = options;
		const number = this.#nextNumber++;
		this.#pending.push({ type: 'configure', number });
		this.#outbox.command({ type: 'configure', configure: number, options });
	}

	/** Requires an open stream. */
	append(bytes: Uint8Array): void {
		if (!this.#stream || bytes.length === 0) return;
		const ms = secondsOfBytes(bytes.length, this.#stream.options.format) * 1000;
		this.#appendedMs += ms;
		this.#uncommittedMs += ms;
		this.#outbox.command({ type: 'audio', bytes });
	}

	/** Throws Refused. */
	commit(eventId: string | null): void {
		const lost = this.#lostAudio;
		this.#forgetAudio();
		if (lost) {
			this.#outbox.send(...this.#items.failUnknown(lost));
			// Discards the rest of a turn whose beginning was lost.
			if (this.#stream) this.#outbox.command({ type: 'clear', clear: this.#nextNumber++ });
			return;
		}
		if (!this.#stream) throw commitEmpty('short');
		const number = this.#nextNumber++;
		this.#pending.push({ type: 'commit', number, eventId });
		this.#outbox.command({ type: 'commit', commit: number });
	}

	clear(): void {
		this.#forgetAudio();
		if (!this.#stream) {
			this.#outbox.send({ type: 'input_audio_buffer.cleared' });
			return;
		}
		const number = this.#nextNumber++;
		this.#pending.push({ type: 'clear', number });
		this.#outbox.command({ type: 'clear', clear: number });
	}

	/** Ends the audio: the stream ends once the audio received so far is transcribed. */
	end(): void {
		this.#outbox.command({ type: 'end' });
	}

	/** Throws Refused. */
	lookUp({ type, itemId }: Extract<ClientEvent, { type: 'retrieve' | 'delete' }>): void {
		const item = this.#items.retrieve(itemId);
		if (!item) throw new Refused('item_not_found', `There is no item \`${itemId.slice(0, 80)}\``, 'item_id');
		if (type === 'retrieve') {
			this.#outbox.send({ type: 'conversation.item.retrieved', item });
			return;
		}
		this.#items.delete(itemId);
		this.#outbox.send({ type: 'conversation.item.deleted', item_id: itemId });
	}

	/** Takes an event of the stream with that number. Returns how the stream has ended, if it has; `fatal`: a new
	 * stream would probably fail too. */
	take(number: number, event: LiveEvent): 'over' | { readonly fatal: EarshotError } | undefined {
		const stream = this.#stream;
		if (stream?.number !== number) return undefined;
		switch (event.type) {
			case 'processed':
				stream.hasProcessed = true;
				this.#deadStreams = 0;
				this.#processedMs = Math.max(this.#processedMs, stream.offsetMs + event.atMs);
				return undefined;
			case 'empty': {
				const asked = this.#answered(event.commit);
				if (asked?.type === 'commit') this.#outbox.refuse(commitEmpty(event.why), asked.eventId);
				return undefined;
			}
			case 'cleared':
				if (event.turn !== undefined) this.#items.dropped(event.turn);
				if (event.clear !== undefined && this.#answered(event.clear))
					this.#outbox.send({ type: 'input_audio_buffer.cleared' });
				return undefined;
			case 'configured':
				this.#answered(event.configure);
				return undefined;
			case 'refused':
				this.#outbox.refuse(refusedAs(event.error), null);
				return undefined;
			case 'ended':
			case 'moved':
				this.#close();
				this.#items.streamOver();
				for (const asked of this.#takePending()) this.#answerEmpty(asked);
				return 'over';
			case 'lost':
				return this.#lost(stream, event.error);
			case 'started':
			case 'stopped':
			case 'committed':
			case 'delta':
			case 'completed':
			case 'failed':
				this.#sendTurnEvent(event, stream.offsetMs);
				return undefined;
		}
	}

	#sendTurnEvent(event: TurnEvent, offsetMs: number): void {
		switch (event.type) {
			case 'started':
				this.#outbox.send(...this.#items.started(event.turn, offsetMs + event.atMs));
				break;
			case 'stopped':
				this.#outbox.send(...this.#items.stopped(event.turn, offsetMs + event.atMs));
				break;
			case 'committed':
				if (event.commit !== undefined) this.#answered(event.commit);
				this.#outbox.send(...this.#items.committed(event.turn));
				break;
			case 'delta':
				this.#outbox.send(...this.#items.delta(event.turn, event.text));
				break;
			case 'completed':
				this.#outbox.send(...this.#items.completed(event.turn, event));
				break;
			case 'failed':
				this.#outbox.send(...this.#items.failed(event.turn, event.error));
				break;
		}
	}

	#lost({ hasProcessed, options }: Stream, error: EarshotError): 'over' | { readonly fatal: EarshotError } {
		this.#close();
		this.#outbox.send(...this.#items.failAll(error, this.#appendedMs));
		for (const asked of this.#takePending()) {
			if (asked.type === 'commit') this.#outbox.send(...this.#items.failUnknown(error));
			else this.#answerEmpty(asked);
		}
		if (options.turns === null && this.#uncommittedMs > 0) this.#lostAudio = error;
		this.#deadStreams = hasProcessed ? 0 : this.#deadStreams + 1;
		return this.#deadStreams > 1 ? { fatal: error } : 'over';
	}

	#close(): void {
		this.#stream = undefined;
		this.#processedMs = this.#appendedMs;
	}

	#forgetAudio(): void {
		this.#uncommittedMs = 0;
		this.#lostAudio = undefined;
	}

	/** Removes and returns the command that this response answers; undefined if there is none. */
	#answered(number: number): PendingCommand | undefined {
		const at = this.#pending.findIndex((asked) => asked.number === number);
		return at === -1 ? undefined : this.#pending.splice(at, 1)[0];
	}

	#takePending(): PendingCommand[] {
		const asked = this.#pending;
		this.#pending = [];
		return asked;
	}

	/** Responds to a command after the stream has ended without a turn for it. */
	#answerEmpty(asked: PendingCommand): void {
		if (asked.type === 'clear') this.#outbox.send({ type: 'input_audio_buffer.cleared' });
		else if (asked.type === 'commit') this.#outbox.refuse(commitEmpty('silent'), asked.eventId);
	}
}

function commitEmpty(why: 'short' | 'silent'): Refused {
	return new Refused(
		'input_audio_buffer_commit_empty',
		why === 'short'
			? 'Error committing input audio buffer: buffer too small. Expected at least 100ms of audio.'
			: 'Error committing input audio buffer: voice activity detection has detected no speech since the last commit.',
	);
}
