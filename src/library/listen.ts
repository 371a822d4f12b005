/** Live transcription in the library: a program writes audio and reads events. */

import { isUint8Array } from 'node:util/types';
import { EarshotError, expected } from '../core/errors.js';
import { EventQueue } from '../core/event-queue.js';
import {
	type LiveEvent,
	type LiveOptions,
	type LiveStream,
	type LiveTranscriber,
	secondsOfBytes,
} from '../core/live/live.js';
import type { TokenLogprob } from '../core/speech/transcript.js';

/** Turns are numbered from 0. Times are seconds of the audio that was written. */
export type ListenEvent =
	/** Voice activity detection has found the start of a turn. */
	| { readonly type: 'started'; readonly turn: number; readonly at: number }
	/** The speech of the turn has ended. */
	| { readonly type: 'stopped'; readonly turn: number; readonly at: number }
	/** More of a turn's text; the deltas of a turn, joined, are its text. */
	| { readonly type: 'delta'; readonly turn: number; readonly text: string }
	| ({ readonly type: 'completed'; readonly turn: number } & TurnText)
	/** The turn failed and gets no text; later turns are not affected. */
	| { readonly type: 'failed'; readonly turn: number; readonly error: EarshotError };

/** The final text of a turn. */
export interface TurnText {
	/** The deltas of the turn, joined. */
	readonly text: string;
	/** ISO 639-1 code (or the model's own); null where none is known. */
	readonly language: string | null;
	/** Length of the turn's audio. */
	readonly seconds: number;
	/** Present if they were requested. */
	readonly logprobs?: readonly TokenLogprob[];
}

/** A live transcription. It can be iterated once; leaving the loop closes it. */
export interface ListenStream extends AsyncIterable<ListenEvent>, AsyncDisposable {
	/** Sends audio of any length, in the encoding and rate of the options. Copied during the call. Resolves when the
	 * model is ready for more: a microphone need not wait for it, a file should. Throws EarshotError `invalid_request`
	 * for anything but bytes, `closed` after `end` or `close`.
	 */
	write(pcm: Uint8Array): Promise<void>;
	/** Ends the turn here, without waiting for silence. */
	commit(): void;
	/** Ends the audio: the last turn gets its text, then the events end. Safe to call twice. */
	end(): void;
	/** Ends at once and discards audio that is not transcribed yet. Safe to call twice. */
	close(): void;
}

/** Back-pressure: `write` waits while the model has this much audio left to process. */
const fullSeconds = 5;

/** The session fails after this many streams in a row that were lost before they processed any audio. */
const maxDeadStreams = 2;

export class LiveListening implements ListenStream {
	readonly #model: LiveTranscriber;
	readonly #options: LiveOptions;
	readonly #onClosed: () => void;
	readonly #events = new EventQueue<ListenEvent>();
	#stream: LiveStream | undefined;
	/** Where the current stream begins in the session's audio, seconds. */
	#offsetSeconds = 0;
	#writtenSeconds = 0;
	#processedSeconds = 0;
	/** The session's turn numbers by the turn numbers of the current stream. */
	#turns = new Map<number, number>();
	#nextTurn = 0;
	#nextCommit = 1;
	#deadStreams = 0;
	#hasProcessed = false;
	#isEnding = false;
	#isClosed = false;
	#waiting: (() => void)[] = [];

	/** `onOver`: called once when the session has ended. */
	constructor(model: LiveTranscriber, options: LiveOptions, onOver: () => void) {
		this.#model = model;
		this.#options = options;
		this.#onClosed = onOver;
	}

	async write(pcm: Uint8Array): Promise<void> {
		if (!isUint8Array(pcm)) throw expected('pcm', 'bytes of audio', pcm);
		if (this.#isClosed || this.#isEnding) throw new EarshotError('closed', 'no more audio can be written');
		if (pcm.length === 0) return;
		this.#writtenSeconds += secondsOfBytes(pcm.length, this.#options.format);
		this.#opened().send({ type: 'audio', bytes: pcm.slice() });
		while (!this.#isClosed && this.#writtenSeconds - this.#processedSeconds > fullSeconds)
			await new Promise<void>((resolve) => this.#waiting.push(resolve));
	}

	commit(): void {
		if (!this.#isClosed && !this.#isEnding)
			this.#stream?.send({ type: 'commit', commit: this.#nextCommit++ });
	}

	end(): void {
		if (this.#isClosed || this.#isEnding) return;
		this.#isEnding = true;
		if (this.#stream) this.#stream.send({ type: 'end' });
		else this.#finish();
	}

	close(): void {
		this.#finish();
	}

	/** Ends the session; the iteration throws `error`. */
	fail(error: EarshotError): void {
		this.#events.fail(error);
		this.#finish();
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.close();
	}

	async *[Symbol.asyncIterator](): AsyncGenerator<ListenEvent> {
		try {
			yield* this.#events;
		} finally {
			this.close();
		}
	}

	/** The open stream; a new one if the process of an isolated model was lost. */
	#opened(): LiveStream {
		if (this.#stream) return this.#stream;
		const stream: LiveStream = this.#model.listen(this.#options, (event) => {
			if (this.#stream === stream) this.#take(event);
		});
		this.#stream = stream;
		this.#hasProcessed = false;
		return stream;
	}

	#take(event: LiveEvent): void {
		switch (event.type) {
			case 'processed':
				this.#hasProcessed = true;
				this.#deadStreams = 0;
				this.#processedSeconds = Math.max(this.#processedSeconds, this.#offsetSeconds + event.atMs / 1000);
				this.#wake();
				break;
			case 'started':
			case 'stopped': {
				const turn = this.#turn(event.turn);
				this.#events.push({ type: event.type, turn, at: this.#offsetSeconds + event.atMs / 1000 });
				break;
			}
			case 'committed':
				this.#turn(event.turn);
				break;
			case 'delta':
				this.#events.push({ type: 'delta', turn: this.#turn(event.turn), text: event.text });
				break;
			case 'completed': {
				const { text, language, seconds, logprobs } = event;
				const turn = this.#turn(event.turn);
				this.#turns.delete(event.turn);
				this.#events.push({
					type: 'completed',
					turn,
					text,
					language,
					seconds,
					...(logprobs === undefined ? {} : { logprobs }),
				});
				break;
			}
			case 'failed':
				this.#failTurn(event.turn, event.error);
				break;
			case 'cleared':
			case 'configured':
			case 'empty':
				break;
			case 'refused':
				this.fail(event.error);
				break;
			case 'ended':
			case 'moved':
				this.#reset();
				break;
			case 'lost':
				this.#lost(event.error);
				break;
		}
	}

	#turn(inStream: number): number {
		const known = this.#turns.get(inStream) ?? this.#nextTurn++;
		this.#turns.set(inStream, known);
		return known;
	}

	#failTurn(inStream: number, error: EarshotError): void {
		const turn = this.#turn(inStream);
		this.#turns.delete(inStream);
		this.#events.push({ type: 'failed', turn, error });
	}

	#lost(error: EarshotError): void {
		for (const turn of [...this.#turns.keys()]) this.#failTurn(turn, error);
		this.#deadStreams = this.#hasProcessed ? 0 : this.#deadStreams + 1;
		if (this.#deadStreams >= maxDeadStreams) this.fail(error);
		else this.#reset();
	}

	/** Forgets the ended stream; the next audio opens a new one. */
	#reset(): void {
		this.#stream = undefined;
		this.#turns = new Map();
		this.#offsetSeconds = this.#writtenSeconds;
		this.#processedSeconds = this.#writtenSeconds;
		this.#wake();
		if (this.#isEnding) this.#finish();
	}

	#wake(): void {
		const waiting = this.#waiting;
		this.#waiting = [];
		for (const resolve of waiting) resolve();
	}

	#finish(): void {
		if (this.#isClosed) return;
		this.#isClosed = true;
		this.#stream?.close();
		this.#stream = undefined;
		this.#events.end();
		this.#wake();
		this.#onClosed();
	}
}
