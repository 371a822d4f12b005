/** A pool, a model, a clock and a log that a test controls. */

import { readFile } from 'node:fs/promises';
import type { Clock } from '../../src/core/clock.js';
import { EarshotError } from '../../src/core/errors.js';
import type {
	LiveCommand,
	LiveEvent,
	LiveOptions,
	LiveStream,
	LiveTranscriber,
} from '../../src/core/live/live.js';
import type { Log } from '../../src/core/log.js';
import type { Capabilities, ModelInfo } from '../../src/core/speech/model-info.js';
import type { TranscribeOptions } from '../../src/core/speech/options.js';
import type { Recording } from '../../src/core/speech/recording.js';
import type { Checkpoints, Transcriber } from '../../src/core/speech/transcriber.js';
import type { Transcript, TranscriptEvent } from '../../src/core/speech/transcript.js';
import type { Lease, ListedModel, ModelPool } from '../../src/pool/model-pool.js';
import type { Readiness } from '../../src/pool/readiness.js';
import { beach } from './transcripts.js';

/** Capabilities: everything, in any language. */
export const able: Capabilities = {
	languages: null,
	choosesLanguage: true,
	choosesAmongLanguages: true,
	detectsLanguage: true,
	translates: true,
	prompt: true,
	keywords: true,
	temperature: true,
	decoding: true,
	words: true,
	logprobs: true,
	noSpeechProb: true,
};

/** Capabilities: a few languages, and nothing else. */
export const plain: Capabilities = {
	languages: ['en', 'de', 'yue'],
	choosesLanguage: true,
	choosesAmongLanguages: false,
	detectsLanguage: true,
	translates: false,
	prompt: false,
	keywords: false,
	temperature: false,
	decoding: false,
	words: false,
	logprobs: false,
	noSpeechProb: false,
};

export function info(capabilities: Partial<Capabilities> = {}, id = 'tiny'): ModelInfo {
	return {
		id,
		engine: 'fake',
		type: 'fake',
		device: 'CPU',
		capabilities: { ...able, ...capabilities },
	};
}

/** Produces the events of a call; `calls` contains the call already. */
export type Script = (call: TranscribeCall, signal: AbortSignal) => AsyncIterable<TranscriptEvent>;

export interface TranscribeCall {
	readonly recording: Recording;
	/** The recording's bytes, read from its file if it has a path. */
	readonly bytes: Buffer;
	readonly options: TranscribeOptions;
	readonly checkpoints?: Checkpoints | undefined;
}

/** One `started`, one `segments` for each segment, one `done`. */
export async function* eventsOf(transcript: Transcript): AsyncGenerator<TranscriptEvent> {
	const { segments, duration, language } = transcript;
	yield { type: 'started', duration };
	for (const segment of segments) {
		yield { type: 'segments', segments: [segment], language, processed: segment.end };
	}
	yield { type: 'done', transcript };
}

/** A live stream whose events a test emits. */
export class FakeLiveStream implements LiveStream {
	readonly options: LiveOptions;
	readonly emit: (event: LiveEvent) => void;
	readonly commands: LiveCommand[] = [];
	onCommand: (command: LiveCommand) => void = () => {};
	isClosed = false;

	constructor(options: LiveOptions, emit: (event: LiveEvent) => void) {
		this.options = options;
		this.emit = emit;
	}

	/** Bytes of audio that came. */
	get bytes(): number {
		return this.commands.reduce((sum, each) => sum + (each.type === 'audio' ? each.bytes.length : 0), 0);
	}

	send(command: LiveCommand): void {
		this.commands.push(command);
		this.onCommand(command);
	}

	close(): void {
		this.isClosed = true;
	}
}

export class FakeTranscriber implements Transcriber, LiveTranscriber {
	readonly info: ModelInfo;
	readonly calls: TranscribeCall[] = [];
	readonly streams: FakeLiveStream[] = [];
	onListen: (stream: FakeLiveStream) => void = () => {};
	script: Script;

	constructor(given: { info?: ModelInfo; script?: Script } = {}) {
		this.info = given.info ?? info();
		this.script = given.script ?? (() => eventsOf(beach));
	}

	listen(options: LiveOptions, take: (event: LiveEvent) => void): LiveStream {
		const stream = new FakeLiveStream(options, take);
		this.streams.push(stream);
		this.onListen(stream);
		return stream;
	}

	async *transcribe(
		recording: Recording,
		options: TranscribeOptions,
		signal: AbortSignal,
		checkpoints?: Checkpoints,
	): AsyncGenerator<TranscriptEvent> {
		const bytes = 'path' in recording ? await readFile(recording.path) : Buffer.from(recording.bytes);
		const call = { recording, bytes, options, ...(checkpoints && { checkpoints }) };
		this.calls.push(call);
		yield* this.script(call, signal);
	}
}

export class FakePool implements ModelPool {
	readonly models: ListedModel[];
	readonly defaultModel = 'tiny';
	/** The diarization model; undefined: none is installed. */
	speakers: FakeTranscriber | undefined;
	readonly tiny: FakeTranscriber;
	/** Called before a lease is granted; may wait or throw. */
	onLoad: (model: string, signal: AbortSignal) => Promise<void> = async () => {};
	readonly asked: string[] = [];

	constructor(tiny: FakeTranscriber) {
		this.tiny = tiny;
		this.models = [listed('tiny', { aliases: ['whisper-1'] }), listed('org/large:q5')];
	}

	/** Leases that have not been released. */
	leased = 0;

	readiness: Readiness = { status: 'ok' };

	checkReadiness(): Readiness {
		return this.readiness;
	}

	get diarizer(): string | undefined {
		return this.speakers && 'diarization';
	}

	idOf(name: string): string {
		if (name === this.diarizer) return name;
		const known =
			this.models.find(({ id }) => id === name) ?? this.models.find(({ aliases }) => aliases.includes(name));
		if (known) return known.id;
		throw new EarshotError('model_not_found', `The model \`${name}\` is not on this machine`);
	}

	async load(model: string, signal: AbortSignal): Promise<ModelInfo> {
		const lease = await this.lease(model, signal);
		lease.release();
		return lease.info;
	}

	async lease(model: string, signal: AbortSignal): Promise<Lease> {
		this.asked.push(model);
		await this.onLoad(model, signal);
		this.idOf(model);
		this.leased++;
		const tiny = model === this.diarizer && this.speakers ? this.speakers : this.tiny;
		return {
			info: tiny.info,
			transcribe: (...call) => tiny.transcribe(...call),
			listen: (...call) => tiny.listen(...call),
			release: () => {
				this.leased--;
			},
		};
	}

	/** Models passed to `unload`. */
	readonly unloaded: string[] = [];

	async unload(model: string): Promise<void> {
		this.idOf(model);
		this.unloaded.push(model);
	}

	async close(): Promise<void> {}
}

export function listed(id: string, given: Partial<ListedModel> = {}): ListedModel {
	return {
		id,
		aliases: [],
		type: 'fake',
		created: 1_700_000_000,
		ownedBy: 'earshot',
		state: 'unloaded',
		capabilities: null,
		isStreaming: false,
		demo: false,
		pid: null,
		memoryBytes: 0,
		requests: 0,
		idleMs: null,
		unloadsInMs: null,
		...given,
	};
}

/** A clock that moves only when a test advances it. */
export class FakeClock implements Clock {
	#now = 0;
	#timers: { readonly due: number; readonly every: number | undefined; readonly act: () => void }[] = [];

	now(): number {
		return this.#now;
	}

	every(ms: number, act: () => void): () => void {
		return this.#add(ms, ms, act);
	}

	after(ms: number, act: () => void): () => void {
		return this.#add(ms, undefined, act);
	}

	get waiting(): number {
		return this.#timers.length;
	}

	advance(ms: number): void {
		const until = this.#now + ms;
		for (;;) {
			const [next] = this.#timers.filter(({ due }) => due <= until).sort((a, b) => a.due - b.due);
			if (next === undefined) break;
			this.#now = next.due;
			this.#timers = this.#timers.filter((timer) => timer !== next);
			if (next.every !== undefined) this.#timers.push({ ...next, due: next.due + next.every });
			next.act();
		}
		this.#now = until;
	}

	/** Time passes as for a stopped process: when it goes on, each timer that is due fires once. */
	stall(ms: number): void {
		this.#now += ms;
		for (const timer of this.#timers.filter(({ due }) => due <= this.#now)) {
			this.#timers = this.#timers.filter((other) => other !== timer);
			if (timer.every !== undefined) this.#timers.push({ ...timer, due: this.#now + timer.every });
			timer.act();
		}
	}

	#add(ms: number, every: number | undefined, act: () => void): () => void {
		this.#timers.push({ due: this.#now + ms, every, act });
		return () => {
			// `every` replaces its entry each time, so entries are identified by their function.
			this.#timers = this.#timers.filter((timer) => timer.act !== act);
		};
	}
}

export interface Line {
	readonly level: string;
	readonly fields: Record<string, unknown>;
	readonly message: string;
}

/** A log that keeps its lines and lets a test wait for the next one. */
export class FakeLog implements Log {
	readonly lines: Line[] = [];
	#taken = 0;
	#waiting: (() => void)[] = [];
	readonly error = this.#writer('error');
	readonly warn = this.#writer('warn');
	readonly info = this.#writer('info');
	readonly debug = this.#writer('debug');

	child(): Log {
		return this;
	}

	/** Each line once, in order. */
	async next(): Promise<Line> {
		while (this.lines.length <= this.#taken) {
			await new Promise<void>((resolve) => this.#waiting.push(resolve));
		}
		return this.lines[this.#taken++]!;
	}

	#writer(level: string) {
		return (fields: object, message: string): void => {
			this.lines.push({ level, fields: { ...fields }, message });
			for (const wake of this.#waiting.splice(0)) wake();
		};
	}
}

/** A promise with its `resolve` and `reject`. */
export function gate<T = void>(): {
	readonly promise: Promise<T>;
	readonly open: (value: T) => void;
	readonly fail: (error: Error) => void;
} {
	let open!: (value: T) => void;
	let fail!: (error: Error) => void;
	const promise = new Promise<T>((resolve, reject) => {
		open = resolve;
		fail = reject;
	});
	return { promise, open, fail };
}

/** Rejects when the signal fires, like a cancelled engine. */
export function aborted(signal: AbortSignal): Promise<never> {
	return new Promise((_, reject) => {
		const cancel = (): void => reject(new EarshotError('cancelled', 'cancelled'));
		if (signal.aborted) cancel();
		signal.addEventListener('abort', cancel, { once: true });
	});
}
