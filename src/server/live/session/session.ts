/**
 * One realtime session as a state machine: its inputs are messages of the client and events of the model, its outputs
 * are events to send and actions to perform. Pure: no sockets, models or timers.
 */

import { EarshotError } from '../../../core/errors.js';
import { isRecord } from '../../../core/is-record.js';
import type { ModelInfo } from '../../../core/speech/model-info.js';
import { type ClientEvent, readClientEvent, shortenedId } from '../protocol/client-events.js';
import { eventError, refusedAs } from '../protocol/errors.js';
import { Refused, type SessionConfig } from '../protocol/events.js';
import { readSession } from '../protocol/read-session.js';
import {
	conversationObject,
	oldSessionObject,
	type SessionIdentity,
	sessionObject,
} from '../protocol/session-object.js';
import { Listening } from './listening.js';
import { fitSession } from './live-options.js';
import { type Ending, Outbox, type SessionInput, type SessionOutput } from './outbox.js';

export interface SessionOptions {
	readonly config: SessionConfig;
	readonly identity: SessionIdentity;
	/** A unique id with this prefix. */
	readonly newId: (prefix: string) => string;
	/** Resolves a model name to an id. Throws EarshotError. */
	readonly modelOf: (name: string | undefined) => string;
}

type Model =
	| { readonly state: 'none' }
	| { readonly state: 'leasing'; readonly id: string }
	| { readonly state: 'ready'; readonly id: string; readonly info: ModelInfo };

type UpdateEvent = Extract<ClientEvent, { type: 'update' }>;

/** A configuration update that waits for its model. */
interface Update {
	readonly config: SessionConfig;
	readonly model: string;
	readonly event: UpdateEvent;
}

export class Session {
	readonly #options: SessionOptions;
	readonly #outbox: Outbox;
	readonly #listening: Listening;
	#config: SessionConfig;
	#model: Model = { state: 'none' };
	/** Client events queued until a model is ready. */
	readonly #waiting: ClientEvent[] = [];
	#update: Update | undefined;
	/** Whether the client waits for the model, so that a failure to lease it must be reported. */
	#isModelNeeded = false;
	#ending: Ending | undefined;
	/** Whether the audio was ended because the session is to end. */
	#isAudioEnded = false;
	#isClosed = false;

	constructor(options: SessionOptions) {
		this.#options = options;
		this.#config = options.config;
		this.#outbox = new Outbox(options.newId);
		this.#listening = new Listening(this.#outbox, () => options.newId('item'));
	}

	/** Length of the unprocessed audio. */
	get lagMs(): number {
		return this.#listening.lagMs;
	}

	/** Position up to which the model has processed the audio. */
	get processedMs(): number {
		return this.#listening.processedMs;
	}

	/** Length of all appended audio. */
	get appendedMs(): number {
		return this.#listening.appendedMs;
	}

	/** Number of commits, clears and configurations that the model has not answered. */
	get unanswered(): number {
		return this.#listening.unanswered;
	}

	/** Whether client events or an update wait for a model. */
	get isWaiting(): boolean {
		return this.#waiting.length > 0 || this.#update !== undefined;
	}

	/** Loads the session's model in advance. */
	start(): SessionOutput[] {
		const { identity, modelOf } = this.#options;
		this.#outbox.send({ type: 'session.created', session: sessionObject(this.#config, identity) });
		this.#lease(modelOf(this.#config.transcription?.model));
		return this.#outbox.take();
	}

	take(input: SessionInput): SessionOutput[] {
		if (this.#isClosed) return [];
		switch (input.type) {
			case 'client':
				if (!this.#ending) this.#takeClient(input.event);
				break;
			case 'malformed':
				this.#outbox.refuse(new Refused('invalid_json', input.what), null);
				break;
			case 'leased':
				this.#takeLease(input.info);
				break;
			case 'unavailable':
				this.#takeRefusal(input.error);
				break;
			case 'stream': {
				const how = this.#listening.take(input.stream, input.event);
				if (how === 'over') this.#streamOver();
				else if (how) this.#fail(how.fatal);
				break;
			}
			case 'end':
				this.#end(input.why);
				break;
		}
		return this.#outbox.take();
	}

	#takeClient(given: unknown): void {
		let event: ClientEvent;
		try {
			event = readClientEvent(given);
		} catch (thrown) {
			this.#outbox.refuse(thrown, eventIdOf(given));
			return;
		}
		// An update need not wait for a model that is only being loaded in advance.
		const isFree = this.#model.state !== 'leasing' || (event.type === 'update' && !this.#isModelNeeded);
		if (isFree && !this.isWaiting) this.#settle(event, () => this.#handle(event));
		else this.#waiting.push(event);
	}

	/** Throws Refused. */
	#handle(event: ClientEvent): void {
		switch (event.type) {
			case 'update':
				this.#begin(event);
				break;
			case 'append':
				this.#append(event);
				break;
			case 'commit':
				this.#listening.commit(event.eventId);
				break;
			case 'clear':
				this.#listening.clear();
				break;
			case 'retrieve':
			case 'delete':
				this.#listening.lookUp(event);
				break;
		}
	}

	/** Throws Refused. */
	#begin(event: UpdateEvent): void {
		const config = readSession(event.session, this.#config);
		const model = this.#modelOf(config);
		const update = { config, model, event };
		if (this.#model.state === 'ready' && this.#model.id === model) {
			this.#apply(update, this.#model.info);
			return;
		}
		if (this.#listening.awaitsCommit) {
			throw new Refused(
				'invalid_request',
				'The model cannot be changed while the buffer holds audio: commit or clear it first',
				'session.audio.input.transcription.model',
			);
		}
		this.#update = update;
		this.#isModelNeeded = true;
		if (this.#listening.isOpen) this.#listening.end();
		else if (this.#model.state !== 'leasing' || this.#model.id !== model) this.#lease(model);
	}

	/** Throws Refused. */
	#apply({ config, event }: Update, info: ModelInfo): void {
		const fitted = asRefused(() => fitSession(config, info));
		this.#config = fitted.config;
		this.#listening.configure(fitted.options);
		const { identity } = this.#options;
		if (event.form === 'old') {
			const session = oldSessionObject(this.#config, identity);
			this.#outbox.send({ type: 'transcription_session.updated', session });
			return;
		}
		const isConversation = event.form === 'conversation';
		const session = isConversation
			? conversationObject(this.#config, identity, event.session as object)
			: sessionObject(this.#config, identity);
		this.#outbox.send({ type: 'session.updated', session });
	}

	/** Throws Refused. */
	#append(event: Extract<ClientEvent, { type: 'append' }>): void {
		if (!this.#listening.isOpen) {
			if (this.#model.state !== 'ready') {
				const model = this.#modelOf(this.#config);
				this.#waiting.unshift(event);
				this.#isModelNeeded = true;
				this.#lease(model);
				return;
			}
			const { info } = this.#model;
			this.#listening.open(asRefused(() => fitSession(this.#config, info)).options);
		}
		this.#listening.append(event.audio);
	}

	#takeLease(info: ModelInfo): void {
		if (this.#model.state !== 'leasing') return;
		const { id } = this.#model;
		const update = this.#update;
		this.#model = { state: 'ready', id, info };
		this.#update = undefined;
		this.#isModelNeeded = false;
		if (update) {
			this.#settle(update.event, () => this.#apply(update, info));
			// If the update was refused, the configuration still names the previous model.
			if (this.#config.transcription?.model !== update.config.transcription?.model)
				this.#model = { state: 'none' };
		}
		this.#resume();
	}

	#takeRefusal(error: EarshotError): void {
		if (this.#model.state !== 'leasing') return;
		this.#model = { state: 'none' };
		const update = this.#update;
		const isNeeded = this.#isModelNeeded;
		this.#update = undefined;
		this.#isModelNeeded = false;
		if (update) this.#outbox.refuse(refusedAs(error), update.event.eventId);
		else if (isNeeded) this.#fail(error);
		if (!this.#isClosed) this.#resume();
	}

	/** The stream has ended: because the session ends, the model changes, or the model's process has ended. */
	#streamOver(): void {
		if (this.#update) this.#lease(this.#update.model);
		else this.#resume();
	}

	/** Processes the queued events until one of them has to wait again. */
	#resume(): void {
		while (this.#waiting.length > 0 && !this.#update && this.#model.state !== 'leasing') {
			const event = this.#waiting.shift();
			if (event) this.#settle(event, () => this.#handle(event));
		}
		this.#finishIfDone();
	}

	#settle({ eventId }: ClientEvent, work: () => void): void {
		try {
			work();
		} catch (thrown) {
			this.#outbox.refuse(thrown, eventId);
		}
	}

	#end(why: Ending): void {
		if (this.#ending) return;
		this.#ending = why;
		this.#finishIfDone();
	}

	/** Once the session is to end and nothing waits for a model: ends the audio, and after its last text the session. */
	#finishIfDone(): void {
		if (!this.#ending || this.isWaiting) return;
		if (!this.#listening.isOpen) this.#finish(this.#ending);
		else if (!this.#isAudioEnded) {
			this.#isAudioEnded = true;
			this.#listening.end();
		}
	}

	/** Ends the session with an error, since it has no model. */
	#fail(failure: EarshotError): void {
		const error = eventError(failure);
		this.#finish({ code: 1011, reason: error.code, error });
	}

	#finish({ code, reason, error }: Ending): void {
		if (error) this.#outbox.send({ type: 'error', error: { ...error, event_id: null } });
		this.#isClosed = true;
		this.#outbox.push({ type: 'close', code, reason });
	}

	#lease(model: string): void {
		this.#model = { state: 'leasing', id: model };
		this.#outbox.push({ type: 'lease', model });
	}

	/** Throws Refused. */
	#modelOf({ transcription }: SessionConfig): string {
		return asRefused(() => this.#options.modelOf(transcription?.model));
	}
}

/** Converts an EarshotError to Refused. */
function asRefused<T>(work: () => T): T {
	try {
		return work();
	} catch (thrown) {
		throw thrown instanceof EarshotError ? refusedAs(thrown) : thrown;
	}
}

function eventIdOf(given: unknown): string | null {
	return isRecord(given) && typeof given.event_id === 'string' ? shortenedId(given.event_id) : null;
}
