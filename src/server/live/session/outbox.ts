/** The inputs and outputs of a session, and the queue of its outputs. */

import type { EarshotError } from '../../../core/errors.js';
import type { LiveCommand, LiveEvent, LiveOptions } from '../../../core/live/live.js';
import type { ModelInfo } from '../../../core/speech/model-info.js';
import { type EventError, Refused, type ServerEvent } from '../protocol/events.js';

export type SessionInput =
	/** A message of the client, parsed from JSON. */
	| { readonly type: 'client'; readonly event: unknown }
	/** A message that is not JSON. */
	| { readonly type: 'malformed'; readonly what: string }
	/** The most recently requested model is loaded and leased. */
	| { readonly type: 'leased'; readonly info: ModelInfo }
	| { readonly type: 'unavailable'; readonly error: EarshotError }
	| { readonly type: 'stream'; readonly stream: number; readonly event: LiveEvent }
	/** Ends the session: received audio is still transcribed. */
	| { readonly type: 'end'; readonly why: Ending };

export interface Ending {
	readonly code: number;
	readonly reason: string;
	/** Sent before the socket closes. */
	readonly error?: EventError;
}

export type SentEvent = ServerEvent & { readonly event_id: string };

export type SessionOutput =
	| { readonly type: 'send'; readonly event: SentEvent }
	/** Lease this model instead of the previous one. The response is `leased` or `unavailable`. */
	| { readonly type: 'lease'; readonly model: string }
	/** Open a stream on the leased model; it receives the commands from now on. */
	| { readonly type: 'listen'; readonly stream: number; readonly options: LiveOptions }
	| { readonly type: 'command'; readonly command: LiveCommand }
	| { readonly type: 'close'; readonly code: number; readonly reason: string };

export class Outbox {
	readonly #newId: (prefix: string) => string;
	#outputs: SessionOutput[] = [];

	constructor(newId: (prefix: string) => string) {
		this.#newId = newId;
	}

	/** Returns the outputs since the last call. */
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

	/** Sends an `error` event if `thrown` is Refused, else rethrows it. */
	refuse(thrown: unknown, eventId: string | null): void {
		if (!(thrown instanceof Refused)) throw thrown;
		this.send({ type: 'error', error: { ...thrown.error, event_id: eventId } });
	}
}
