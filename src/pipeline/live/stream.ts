/** A live stream on a loaded model: audio → voice activity → turns → text. Processes commands sequentially. */

import type { OpenLiveInput } from '../../audio/live-input.js';
import { SampleWindow } from '../../audio/sample-window.js';
import { asEarshotError, EarshotError } from '../../core/errors.js';
import { InOrder } from '../../core/live/in-order.js';
import {
	type LiveCommand,
	type LiveEvent,
	type LiveOptions,
	type LiveStream,
	secondsOfBytes,
	type TurnRules,
} from '../../core/live/live.js';
import { type TurnEvent, Turns } from '../../core/live/turns.js';
import { chunkingWithoutVad, defaultChunking, type RecognizeOptions } from '../../core/speech/options.js';
import { sampleRate } from '../../core/speech/pcm.js';
import type { SpeechStream } from '../../engines/engine.js';
import type { PipelineHooks, PipelineParts } from '../parts.js';
import { ClipTurn } from './clip-turn.js';
import { Frames } from './frames.js';
import { type ModelTime, StreamTime } from './model-time.js';
import { StreamTurn } from './stream-turn.js';
import { VoiceWatch } from './voice-watch.js';
import type { TurnListener, TurnWork } from './work.js';

export interface LiveParts extends PipelineParts {
	readonly openLiveInput: OpenLiveInput;
	/** Present for streaming models. */
	readonly openStream?: ((options: RecognizeOptions) => SpeechStream) | undefined;
	/** Model time, shared by all live streams of the model. */
	readonly time: ModelTime;
	/** Returns hooks for the clips of one turn; called once per turn. */
	readonly hooksOfTurn?: () => PipelineHooks;
}

/** Bytes of audio processed at a time, about a second. */
const pieceBytes = 1 << 16;

/** Maximum detection delay of the start of speech: the shortest speech and a few windows. */
const detectionSamples = sampleRate / 2;

/** Back-pressure: no more audio is processed while a turn has this much unread audio: two blocks of a recording. */
const maxUnreadSeconds = 20;

/** Maximum unfinished turns of one stream, so that a stream faster than real time does not take more slots. */
const maxUnfinishedTurns = 2;

interface OpenWork {
	readonly turn: number;
	readonly work: TurnWork;
	/** Position up to which it has received the audio. */
	fed: number;
	failure: unknown;
}

export class LiveAudio implements LiveStream {
	readonly #parts: LiveParts;
	readonly #take: (event: LiveEvent) => void;
	#options: LiveOptions;
	readonly #time: StreamTime;
	#frames: Frames;
	readonly #turns: Turns;
	readonly #window = new SampleWindow(sampleRate);
	#watch: VoiceWatch | undefined;
	#isWatchOpened = false;
	readonly #commands: LiveCommand[] = [];
	#isRunning = false;
	#open: OpenWork | undefined;
	/** Work of turns that have ended but have no text yet. */
	readonly #works = new Map<number, TurnWork>();
	readonly #order = new InOrder();
	#processedSeconds = 0;
	#partial = '';
	#isEnding = false;
	#isClosed = false;
	#wake: (() => void) | undefined;

	constructor(parts: LiveParts, options: LiveOptions, take: (event: LiveEvent) => void) {
		this.#parts = parts;
		this.#options = options;
		this.#take = take;
		this.#time = new StreamTime(parts.time);
		this.#frames = new Frames(parts.openLiveInput, options.format);
		this.#turns = new Turns(options.turns);
	}

	send(command: LiveCommand): void {
		if (this.#isClosed) return;
		this.#commands.push(command);
		void this.#run();
	}

	close(): void {
		if (this.#isClosed) return;
		this.#isClosed = true;
		this.#watch?.close();
		this.#open?.work.cancel();
		for (const work of this.#works.values()) work.cancel();
		this.#works.clear();
		this.#wake?.();
	}

	/** Never rejects. */
	async #run(): Promise<void> {
		if (this.#isRunning) return;
		this.#isRunning = true;
		try {
			// No event is emitted before the call that causes it has returned.
			await Promise.resolve();
			for (let next = this.#commands.shift(); next && !this.#isClosed; next = this.#commands.shift())
				await this.#handle(next);
		} catch (thrown) {
			this.#emit({ type: 'lost', error: asEarshotError(thrown) });
			this.close();
		} finally {
			this.#isRunning = false;
		}
	}

	async #handle(command: LiveCommand): Promise<void> {
		switch (command.type) {
			case 'audio':
				for (let at = 0; at < command.bytes.length && !this.#isClosed; at += pieceBytes)
					await this.#listen(command.bytes.subarray(at, at + pieceBytes));
				break;
			case 'commit':
				await this.#detectAll(this.#frames.flush());
				for (const event of this.#turns.commit(command.commit)) this.#act(event);
				break;
			case 'clear':
				await this.#detectAll(this.#frames.flush());
				for (const event of this.#turns.clear(command.clear)) this.#act(event);
				break;
			case 'configure':
				await this.#configure(command.options);
				this.#emit({ type: 'configured', configure: command.configure });
				break;
			case 'end':
				await this.#detectAll(this.#frames.flush());
				for (const event of this.#turns.end()) this.#act(event);
				this.#isEnding = true;
				this.#endIfDone();
				break;
		}
	}

	async #listen(bytes: Uint8Array): Promise<void> {
		await this.#detectAll(this.#frames.push(bytes));
		this.#processedSeconds += secondsOfBytes(bytes.length, this.#options.format);
		const busyMs = this.#time.take();
		this.#emit({ type: 'processed', atMs: this.#processedSeconds * 1000, ...(busyMs > 0 && { busyMs }) });
	}

	async #detectAll(frames: readonly Float32Array[]): Promise<void> {
		for (const frame of frames) await this.#detect(frame);
	}

	async #detect(samples: Float32Array): Promise<void> {
		await this.#room();
		if (this.#isClosed) return;
		const watch = await this.#watchFor(this.#options.turns);
		this.#window.room(samples.length).set(samples);
		this.#window.grow(samples.length);
		const speech = await watch?.detect(samples);
		if (this.#isClosed) return;
		if (this.#partial !== '') this.#turns.read(this.#partial);
		const wasPaused = this.#turns.isPaused;
		for (const event of this.#turns.detect(this.#window.end, speech)) this.#act(event);
		this.#feed(this.#window.end);
		if (this.#turns.isPaused && !wasPaused) this.#open?.work.pause();
		if (!this.#turns.isPaused && wasPaused) this.#open?.work.resume();
		this.#window.forget(this.#open?.fed ?? this.#turns.needed(detectionSamples));
	}

	/** The detector, which is opened with the first audio; undefined without rules or without a detector. */
	async #watchFor(rules: TurnRules | null): Promise<VoiceWatch | undefined> {
		if (rules === null || this.#isWatchOpened) return this.#watch;
		this.#isWatchOpened = true;
		const watch = await VoiceWatch.open(this.#parts.openVad, rules, this.#window.end);
		if (watch === undefined) this.#emit({ type: 'refused', error: noDetector() });
		if (this.#isClosed) watch?.close();
		else this.#watch = watch;
		return watch;
	}

	/** Waits until there is room for more audio. */
	async #room(): Promise<void> {
		while (!this.#isClosed && this.#isFull) {
			await new Promise<void>((resolve) => (this.#wake = resolve));
			this.#wake = undefined;
		}
	}

	get #isFull(): boolean {
		const unread = this.#open?.work.unreadSeconds ?? 0;
		return unread >= maxUnreadSeconds || this.#order.size >= maxUnfinishedTurns;
	}

	async #configure(options: LiveOptions): Promise<void> {
		const { format, turns } = options;
		const before = this.#options;
		if (format.encoding !== before.format.encoding || format.rate !== before.format.rate) {
			await this.#detectAll(this.#frames.flush());
			this.#frames = new Frames(this.#parts.openLiveInput, format);
		}
		if (JSON.stringify(turns) !== JSON.stringify(before.turns)) {
			await this.#detectAll(this.#frames.flush());
			this.#watch?.close();
			this.#watch = undefined;
			this.#isWatchOpened = false;
			const wasPaused = this.#turns.isPaused;
			this.#turns.configure(turns);
			if (!this.#turns.isPaused && wasPaused) this.#open?.work.resume();
			if (this.#open && this.#turns.open === undefined)
				this.#drop({ type: 'cleared', turn: this.#open.turn });
		}
		this.#options = options;
	}

	#act(event: TurnEvent): void {
		switch (event.type) {
			case 'started':
				this.#begin(event.turn, event.at);
				this.#emit({ type: 'started', turn: event.turn, atMs: msOf(event.at) });
				break;
			case 'stopped':
				this.#emit({ type: 'stopped', turn: event.turn, atMs: msOf(event.at) });
				break;
			case 'ended':
				this.#end(event);
				break;
			case 'cleared':
				this.#drop(event);
				break;
			case 'empty':
				this.#emit(event);
				break;
		}
	}

	#begin(turn: number, from: number): OpenWork {
		const open: OpenWork = { turn, work: this.#workOf(turn), fed: from, failure: undefined };
		this.#open = open;
		this.#partial = '';
		return open;
	}

	#workOf(turn: number): TurnWork {
		const { recognize, turns, partials } = this.#options;
		const listener = this.#listenerOf(turn);
		const { openStream } = this.#parts;
		const time = this.#time;
		if (openStream) return new StreamTurn(openStream(recognize), { recognize, time }, listener);
		// Voice activity detection has found the turn, so all of it counts as speech.
		const chunking = turns !== null && this.#watch ? chunkingWithoutVad : defaultChunking;
		const hooks = this.#parts.hooksOfTurn?.();
		return new ClipTurn(this.#parts, { recognize, chunking, partials, hooks, time }, listener);
	}

	#listenerOf(turn: number): TurnListener {
		const finish = (end: Extract<LiveEvent, { type: 'completed' | 'failed' }>) => {
			this.#works.delete(turn);
			for (const each of this.#order.ended(end)) this.#emit(each);
			this.#changed();
			this.#endIfDone();
		};
		return {
			delta: (text) => this.#emit({ type: 'delta', turn, text }),
			partial: (text) => {
				if (this.#open?.turn === turn) this.#partial = text;
			},
			completed: (text) => finish({ type: 'completed', turn, ...text }),
			failed: (thrown) => {
				// A failure of an open turn is reported once the turn has ended.
				if (this.#open?.turn === turn) this.#open.failure = thrown;
				else finish({ type: 'failed', turn, error: asEarshotError(thrown) });
				this.#changed();
			},
			progressed: () => this.#changed(),
		};
	}

	/** Passes the audio up to this position to the open turn. */
	#feed(to: number): void {
		const { open } = this.#turns;
		if (!open) return;
		const mine = this.#open ?? this.#begin(open.turn, open.from);
		if (to <= mine.fed) return;
		if (mine.failure === undefined) mine.work.push(this.#window.view(mine.fed, to).slice());
		mine.fed = to;
	}

	#end({ turn, from, to, silent, commit }: Extract<TurnEvent, { type: 'ended' }>): void {
		const mine = this.#open ?? this.#begin(turn, from);
		if (to > mine.fed && mine.failure === undefined) mine.work.push(this.#window.view(mine.fed, to).slice());
		this.#open = undefined;
		this.#partial = '';
		this.#works.set(turn, mine.work);
		this.#order.committed(turn);
		const seconds = (to - from) / sampleRate;
		this.#emit({ type: 'committed', turn, seconds, ...(commit !== undefined && { commit }) });
		if (mine.failure === undefined) mine.work.end(silent / sampleRate);
		else this.#listenerOf(turn).failed(mine.failure);
	}

	#drop(event: Extract<LiveEvent, { type: 'cleared' }>): void {
		this.#open?.work.cancel();
		this.#open = undefined;
		this.#partial = '';
		this.#emit(event);
	}

	#changed(): void {
		this.#wake?.();
	}

	#endIfDone(): void {
		if (!this.#isEnding || this.#order.size > 0 || this.#isClosed) return;
		this.#emit({ type: 'ended' });
		this.close();
	}

	#emit(event: LiveEvent): void {
		if (!this.#isClosed) this.#take(event);
	}
}

function noDetector(): EarshotError {
	return new EarshotError(
		'unsupported_value',
		'Voice activity detection is not available, since this machine lacks the sherpa-onnx libraries: end each turn with a commit (`turn_detection` null)',
		{ param: 'turn_detection' },
	);
}

function msOf(position: number): number {
	return (position * 1000) / sampleRate;
}
