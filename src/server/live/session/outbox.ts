/** What a session puts out. */

import type { EarshotError } from '../../../errors.js';
import type { LiveCommand, LiveEvent, LiveOptions } from '../../../live/live.js';
import type { ModelInfo } from '../../../speech/model-info.js';
import { type EventError, Refused, type ServerEvent } from '../protocol/events.js';

export type SessionInput =
	/** A message of the client: JSON's value. */
	| { readonly type: 'client'; readonly event: unknown }
	/** A message that is no JSON. */
	| { readonly type: 'garbage'; readonly what: string }
	/** The model that was asked for last is loaded, and stays so. */
	| { readonly type: 'leased'; readonly info: ModelInfo }
	| { readonly type: 'unavailable'; readonly error: EarshotError }
	| { readonly type: 'stream'; readonly stream: number; readonly event: LiveEvent }
	/** The session is to end: what was said is still transcribed. */
	| { readonly type: 'end'; readonly why: Ending };

export interface Ending {
	readonly code: number;
	readonly reason: string;
	/** Told before the socket closes. */
	readonly error?: EventError;
}

export type SentEvent = ServerEvent & { readonly event_id: string };

export type SessionOutput =
	| { readonly type: 'send'; readonly event: SentEvent }
	/** Lease this model instead of the one before. Answered by `leased` or `unavailable`. */
	| { readonly type: 'lease'; readonly model: string }
	/** Open a stream on the leased model; it takes the commands from now on. */
	| { readonly type: 'listen'; readonly stream: number; readonly options: LiveOptions }
	| { readonly type: 'command'; readonly command: LiveCommand }
	| { readonly type: 'close'; readonly code: number; readonly reason: string };

export class Outbox {
	readonly #newId: (prefix: string) => string;
	#outputs: SessionOutput[] = [];

	constructor(newId: (prefix: string) => string) {
		this.#newId = newId;
	}

	/** Everything since the last call. */
	take(): SessionOutput[] {
		const outputs = this.#outputs;
		this.#outputs = [];
		return outputs;
	}

	push(output: SessionOutput): void {
		this.#outputs.push(output);
	}

	send(...events: readonly ServerEvent[]): void {
		for (const event of events)
			this.push({ type: 'send', event: { event_id: this.#newId('event'), ...event } });
	}

	command(command: LiveCommand): void {
		this.push({ type: 'command', command });
	}

	/** Tells of an event that cannot be done; throws whatever else was thrown. */
	refuse(thrown: unknown, eventId: string | null): void {
		if (!(thrown instanceof Refused)) throw thrown;
		this.send({ type: 'error', error: { ...thrown.error, event_id: eventId } });
	}
}
