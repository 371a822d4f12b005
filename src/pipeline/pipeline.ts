/** A recording becomes clips, clips become segments: cut → schedule → place, all at once. */

import { deflateSync } from 'node:zlib';
import { Cutter } from '../audio/chunker.js';
import type { OpenAudio } from '../audio/decode.js';
import type { SearchSpeech } from '../audio/vad.js';
import type {
	Clip,
	ClipResult,
	ClipSegment,
	Limits,
	ModelFacts,
	RecognizeOptions,
} from '../engines/engine.js';
import { EarshotError } from '../errors.js';
import type { Scheduler } from '../scheduler/scheduler.js';
import { sampleRate } from '../speech/pcm.js';
import { Stopwatch, type Timing } from '../speech/timing.js';
import type { Recording, TranscribeOptions } from '../speech/transcriber.js';
import { type Cut, joinText, type Segment, type Task, type TranscriptEvent } from '../speech/transcript.js';

export interface PipelineParts {
	readonly facts: ModelFacts;
	readonly limits: Limits;
	readonly scheduler: Scheduler;
	readonly open: OpenAudio;
	readonly search: SearchSpeech;
}

export interface PipelineHooks {
	/** Clips before this one were finished in an earlier try and are passed over. */
	readonly firstClip?: number;
	/** What is being worked on: the clip's position, or -1 for the first block being cut, -2 for the second … */
	readonly onRunning?: (step: number) => void;
	/** A block is cut. Of clips their events tell. */
	readonly onPassed?: (step: number) => void;
}

/** Segments without the ids that only the whole transcript can give. */
export type PlacedSegment = Omit<Segment, 'id'>;

export type PipelineEvent =
	/** Something could be decoded. Seconds as the container declares them, exact for recordings of one block; null
	 * where it does not. */
	| { readonly type: 'started'; readonly duration: number | null }
	| {
			readonly type: 'clip';
			readonly clip: number;
			readonly segments: readonly PlacedSegment[];
			readonly language: string | null;
			readonly processed: number;
			readonly cuts?: readonly Cut[];
	  }
	/** The last one, once everything else has been taken. Seconds of the recording. */
	| { readonly type: 'ended'; readonly duration: number; readonly timing: Timing };

/** Yields `started`, one `clip` each in the order of the recording, however they finish, and `ended`. */
export async function* runPipeline(
	parts: PipelineParts,
	recording: Recording,
	options: TranscribeOptions,
	signal: AbortSignal,
	hooks: PipelineHooks = {},
): AsyncGenerator<PipelineEvent> {
	throwIfGone(signal);
	const stopwatch = new Stopwatch();
	const cutter = new Cutter(parts, recording, options.chunking);
	const rest = new AbortController();
	let cutFailure: unknown;
	let isThrough = false;
	const close = () => {
		cutter.close().catch(() => {});
	};
	// The consumer's `return`, the signal and a failure all end what is left: cutting, and clips that wait or run.
	const end = () => {
		rest.abort();
		close();
	};
	signal.addEventListener('abort', end, { once: true });
	try {
		const first = await cutBlock(cutter, stopwatch, hooks);
		yield { type: 'started', duration: cutter.duration };
		const line = new ClipLine(parts, recognizeOptionsOf(options), rest.signal, stopwatch, hooks);
		const cutting = cutAhead(cutter, first, line, stopwatch, hooks);
		cutting.catch((thrown: unknown) => {
			cutFailure = thrown;
			end();
		});
		for (let next = await line.next(); next; next = await line.next()) {
			const { clip, position, result } = next;
			const { segments, language, cuts } = await result;
			yield {
				type: 'clip',
				clip: position,
				segments: placed({ segments, language }, clip),
				language,
				processed: clip.end,
				...(cuts && {
					cuts: cuts.map(({ start, end }) => ({ start: clip.start + start, end: clip.start + end })),
				}),
			};
		}
		await cutting;
		isThrough = true;
		yield { type: 'ended', duration: cutter.decodedSeconds, timing: stopwatch.read() };
	} catch (thrown) {
		throwIfGone(signal);
		// The clips were cancelled for it.
		throw cutFailure ?? thrown;
	} finally {
		signal.removeEventListener('abort', end);
		if (isThrough) close();
		else end();
	}
}

async function cutBlock(
	cutter: Cutter,
	stopwatch: Stopwatch,
	{ onRunning, onPassed }: PipelineHooks,
): Promise<Clip[]> {
	const step = -1 - cutter.blocks;
	onRunning?.(step);
	const clips = await stopwatch.decoding(() => cutter.next());
	onPassed?.(step);
	return clips;
}

/** Cuts as far ahead of the engine as the line has room. */
async function cutAhead(
	cutter: Cutter,
	first: readonly Clip[],
	line: ClipLine,
	stopwatch: Stopwatch,
	hooks: PipelineHooks,
): Promise<void> {
	try {
		for (const clip of first) line.submit(clip);
		while (!cutter.ended) {
			await line.room();
			for (const clip of await cutBlock(cutter, stopwatch, hooks)) line.submit(clip);
		}
	} finally {
		line.end();
	}
}

interface Submitted {
	readonly clip: Clip;
	/** Of the clip in the recording, from 0. */
	readonly position: number;
	readonly result: Promise<ClipResult>;
}

/**
 * For each lane, what it runs and as much again: when it is done, its next batch is cut already, and hours of
 * audio do not wait in memory.
 */
const batchesAhead = 2;

/** The clips of one recording between being cut and being told, in order. */
class ClipLine {
	readonly #parts: PipelineParts;
	readonly #options: RecognizeOptions;
	readonly #signal: AbortSignal;
	readonly #stopwatch: Stopwatch;
	readonly #hooks: PipelineHooks;
	readonly #maxSeconds: number;
	readonly #line: Submitted[] = [];
	#count = 0;
	/** Of clips that wait or run. */
	#seconds = 0;
	#ended = false;
	/** Called at every change. */
	readonly #watching: (() => void)[] = [];

	constructor(
		parts: PipelineParts,
		options: RecognizeOptions,
		signal: AbortSignal,
		stopwatch: Stopwatch,
		hooks: PipelineHooks,
	) {
		this.#parts = parts;
		this.#options = options;
		this.#signal = signal;
		this.#stopwatch = stopwatch;
		this.#hooks = hooks;
		const { lanes, maxBatchSeconds, maxClipSeconds } = parts.limits;
		this.#maxSeconds = batchesAhead * lanes * Math.max(maxBatchSeconds, maxClipSeconds);
	}

	submit(clip: Clip): void {
		const { firstClip = 0, onRunning } = this.#hooks;
		const position = this.#count++;
		if (position < firstClip) return;
		const seconds = clip.end - clip.start;
		this.#seconds += seconds;
		const result = this.#parts.scheduler.submit({
			recording: this,
			clip: lengthened(clip, this.#parts.limits.minClipSeconds),
			options: this.#options,
			signal: this.#signal,
			stopwatch: this.#stopwatch,
			...(onRunning ? { onStart: () => onRunning(position) } : {}),
		});
		const settled = () => {
			this.#seconds -= seconds;
			this.#changed();
		};
		// It is awaited in its turn; one that fails meanwhile must not count as unhandled.
		result.then(settled, settled);
		this.#line.push({ clip, position, result });
		this.#changed();
	}

	/** No clip follows. */
	end(): void {
		this.#ended = true;
		this.#changed();
	}

	/** Resolves when more may be submitted. Throws `cancelled`. */
	async room(): Promise<void> {
		while (this.#seconds >= this.#maxSeconds) await this.#change();
		throwIfGone(this.#signal);
	}

	/** The first clip that was not taken yet; undefined after the last one. */
	async next(): Promise<Submitted | undefined> {
		while (this.#line.length === 0 && !this.#ended) await this.#change();
		return this.#line.shift();
	}

	#change(): Promise<void> {
		return new Promise((resolve) => this.#watching.push(resolve));
	}

	#changed(): void {
		for (const resolve of this.#watching.splice(0)) resolve();
	}
}

/** Numbers the segments and adds the finished transcript. */
export async function* finished(
	events: AsyncIterable<PipelineEvent>,
	about: { readonly model: string; readonly task: Task; readonly language: string | null },
): AsyncGenerator<TranscriptEvent> {
	const segments: Segment[] = [];
	const cuts: Cut[] = [];
	const votes = new Map<string, number>();
	let duration = 0;
	let timing: Timing | undefined;
	for await (const event of events) {
		if (event.type === 'started') {
			yield event;
			continue;
		}
		if (event.type === 'ended') {
			({ duration, timing } = event);
			continue;
		}
		const numbered = event.segments.map((segment, index) => ({ id: segments.length + index, ...segment }));
		segments.push(...numbered);
		cuts.push(...(event.cuts ?? []));
		if (event.language !== null && numbered.length > 0) {
			const seconds = numbered.reduce((sum, { start, end }) => sum + end - start, 0);
			votes.set(event.language, (votes.get(event.language) ?? 0) + seconds);
		}
		yield { type: 'segments', segments: numbered, language: event.language, processed: event.processed };
	}
	// The language spoken longest; a recording may hold several.
	const [heard] = [...votes].sort(([, a], [, b]) => b - a)[0] ?? [null];
	yield {
		type: 'done',
		...(timing && { timing }),
		transcript: {
			task: about.task,
			model: about.model,
			language: about.language ?? heard,
			duration,
			text: joinText(segments),
			segments,
			...(cuts.length > 0 && { cuts }),
		},
	};
}

/** Models are weak on, or refuse, clips under their minimum: silence makes up the rest. */
function lengthened(clip: Clip, minClipSeconds: number): Clip {
	const wanted = Math.ceil(minClipSeconds * sampleRate);
	if (clip.samples.length >= wanted) return clip;
	const samples = new Float32Array(wanted);
	samples.set(clip.samples);
	return { ...clip, samples };
}

/** Times from the clip's start to the recording's, never past the clip, in order. */
function placed({ segments }: ClipResult, clip: Clip): PlacedSegment[] {
	let earliest = clip.start;
	const ratios = compressionRatios(segments);
	return segments.map((segment) => {
		const start = Math.min(Math.max(clip.start + segment.start, earliest), clip.end);
		const end = Math.min(Math.max(clip.start + segment.end, start), clip.end);
		earliest = end;
		const { words, ...rest } = segment;
		return {
			...rest,
			start,
			end,
			seek: Math.round((clip.start + (segment.seek ?? 0)) * 100),
			compressionRatio: ratios.get(segment.seek) ?? compressionRatio(segment.text),
			...(words
				? {
						words: words.map((word) => ({
							...word,
							start: clip.start + word.start,
							end: clip.start + word.end,
						})),
					}
				: {}),
		};
	});
}

/** By the window they were decoded in: like the log-probability, it is a figure of the whole decode. */
function compressionRatios(segments: readonly ClipSegment[]): Map<number | undefined, number> {
	const texts = new Map<number | undefined, string>();
	for (const { seek, text } of segments) texts.set(seek, (texts.get(seek) ?? '') + text);
	return new Map(Array.from(texts, ([seek, text]) => [seek, compressionRatio(text.trim())]));
}

/** openai/whisper utils.py: len(utf8) / len(zlib.compress(utf8)). */
function compressionRatio(text: string): number {
	const bytes = Buffer.from(text, 'utf8');
	return bytes.length / deflateSync(bytes).length;
}

/** One object for all clips of a recording, so that equal options are the same object. */
function recognizeOptionsOf(options: TranscribeOptions): RecognizeOptions {
	const { chunking: _, ...recognize } = options;
	return recognize;
}

function throwIfGone(signal: AbortSignal): void {
	if (signal.aborted) throw new EarshotError('cancelled', 'the recording was cancelled');
}
