/** The server's side of a model's live streams. A stream runs in one process, and is lost when that process ends. */

import { asEarshotError, EarshotError } from '../core/errors.js';
import type { LiveCommand, LiveEvent, LiveOptions, LiveStream } from '../core/live/live.js';
import type { RunnerProcess } from './process.js';

export interface LiveStreamsOptions {
	/** The model's process; starts one if none is ready. */
	readonly process: () => Promise<RunnerProcess>;
	/** Called when a turn was transcribed, which shows that the model works. */
	readonly onCompleted: () => void;
	/** Called when a stream has left its process. */
	readonly onDetached: () => void;
}

interface Stream {
	readonly number: number;
	readonly options: LiveOptions;
	readonly take: (event: LiveEvent) => void;
	/** The process that runs the stream; undefined until the stream is opened. */
	process: RunnerProcess | undefined;
	/** Commands to send once the stream is opened. */
	readonly waiting: LiveCommand[];
	/** Turns that have started or were committed and have no transcript yet. */
	readonly unfinished: Set<number>;
	/** Whether audio was received since the last turn ended; without voice activity detection it belongs to the next
	 * turn. */
	holdsAudio: boolean;
	isManual: boolean;
	isClosed: boolean;
}

export class LiveStreams {
	readonly #options: LiveStreamsOptions;
	readonly #streams = new Map<number, Stream>();
	/** The process whose streams leave as soon as they have no unfinished turn. */
	#draining: RunnerProcess | undefined;
	#next = 1;

	constructor(options: LiveStreamsOptions) {
		this.#options = options;
	}

	countIn(process: RunnerProcess): number {
		return this.#in(process).length;
	}

	open(options: LiveOptions, take: (event: LiveEvent) => void): LiveStream {
		const stream: Stream = {
			number: this.#next++,
			options,
			take,
			process: undefined,
			waiting: [],
			unfinished: new Set(),
			holdsAudio: false,
			isManual: options.turns === null,
			isClosed: false,
		};
		this.#streams.set(stream.number, stream);
		void this.#start(stream);
		return {
			send: (command) => this.#send(stream, command),
			close: () => this.#close(stream),
		};
	}

	/** Handles an event from the process. */
	deliver(process: RunnerProcess, number: number, event: LiveEvent): void {
		const stream = this.#streams.get(number);
		if (stream?.process !== process) return;
		note(stream, event);
		if (event.type === 'completed') this.#options.onCompleted();
		if (event.type === 'ended' || event.type === 'lost') this.#detach(stream);
		stream.take(event);
		if (process === this.#draining) this.#moveIdle(process);
	}

	/** The process has ended. Returns the number of streams with unfinished turns. */
	processDied(process: RunnerProcess, error: EarshotError): number {
		const lost = this.#in(process);
		for (const stream of lost) this.#detach(stream);
		for (const { take } of lost) take({ type: 'lost', error });
		return lost.filter(({ unfinished }) => unfinished.size > 0).length;
	}

	/** The process is about to end: streams leave it as soon as they have no unfinished turn. */
	detachIdle(process: RunnerProcess): void {
		this.#draining = process;
		this.#moveIdle(process);
	}

	async #start(stream: Stream): Promise<void> {
		try {
			const process = await this.#options.process();
			if (stream.isClosed) return;
			stream.process = process;
			process.beginWork();
			process.send({ type: 'live-open', stream: stream.number, options: stream.options });
			for (const command of stream.waiting.splice(0)) this.#send(stream, command);
		} catch (thrown) {
			if (stream.isClosed) return;
			this.#detach(stream);
			stream.take({ type: 'lost', error: asEarshotError(thrown) });
		}
	}

	#send(stream: Stream, command: LiveCommand): void {
		if (stream.isClosed) return;
		if (stream.process === undefined) {
			stream.waiting.push(command);
			return;
		}
		if (command.type === 'audio') stream.holdsAudio = true;
		if (command.type === 'configure') stream.isManual = command.options.turns === null;
		stream.process.send({ type: 'live', stream: stream.number, command });
	}

	#close(stream: Stream): void {
		if (stream.isClosed) return;
		stream.process?.send({ type: 'live-close', stream: stream.number });
		this.#detach(stream);
	}

	#detach(stream: Stream): void {
		if (stream.isClosed) return;
		stream.isClosed = true;
		this.#streams.delete(stream.number);
		stream.process?.endWork();
		this.#options.onDetached();
	}

	#moveIdle(process: RunnerProcess): void {
		const idle = this.#in(process).filter(
			({ unfinished, holdsAudio, isManual }) => unfinished.size === 0 && !(isManual && holdsAudio),
		);
		for (const stream of idle) {
			this.#close(stream);
			stream.take({ type: 'moved' });
		}
	}

	#in(process: RunnerProcess): Stream[] {
		return [...this.#streams.values()].filter((stream) => stream.process === process);
	}
}

function note(stream: Stream, event: LiveEvent): void {
	const { type } = event;
	if (type === 'started' || type === 'committed') stream.unfinished.add(event.turn);
	if (type === 'completed' || type === 'failed') stream.unfinished.delete(event.turn);
	if (type === 'cleared' && event.turn !== undefined) stream.unfinished.delete(event.turn);
	if (type === 'committed' || type === 'cleared') stream.holdsAudio = false;
}

/** The error of a stream whose process ended. `how`: exit code or signal, in words. */
export function processEnded(how: string): EarshotError {
	return new EarshotError('engine_failed', `the model's process has ended (${how})`);
}
