/** A recording becomes clips, clips become segments: decode → find speech → split → schedule → place. */

import { deflateSync } from 'node:zlib';
import { type Audio, sampleRate } from '../audio/audio.js';
import { levelsOf, type Span, splitSpans } from '../audio/split.js';
import type {
	Clip,
	ClipResult,
	ClipSegment,
	Limits,
	ModelFacts,
	RecognizeOptions,
} from '../engines/engine.js';
import { EarshotError } from '../errors.js';
import type { Scheduler } from './scheduler.js';
import { Stopwatch, type Timing } from './timing.js';
import type { ChunkingOptions, Recording, TranscribeOptions } from './transcriber.js';
import { joinText, type Segment, type Task, type TranscriptEvent } from './transcript.js';

export interface PipelineParts {
	readonly facts: ModelFacts;
	readonly limits: Limits;
	readonly scheduler: Scheduler;
	readonly decode: (recording: Recording) => Promise<Audio>;
	readonly findSpeech: (samples: Float32Array, options: ChunkingOptions) => Promise<Span[]>;
}

export interface PipelineHooks {
	/** Clips before this one were finished in an earlier try and are passed over. */
	readonly firstClip?: number;
	/** What is being worked on: -1 while the recording is decoded and searched, else the clip's position. */
	readonly onRunning?: (clip: number) => void;
}

/** Segments without the ids that only the whole transcript can give. */
export type PlacedSegment = Omit<Segment, 'id'>;

export type PipelineEvent =
	| { readonly type: 'started'; readonly duration: number; readonly clips: number }
	| {
			readonly type: 'clip';
			readonly clip: number;
			readonly segments: readonly PlacedSegment[];
			readonly language: string | null;
			readonly processed: number;
	  }
	/** The last one, once everything else has been taken. */
	| { readonly type: 'ended'; readonly timing: Timing };

/** Yields `started`, then one `clip` each in the order of the recording, however they finish, then `ended`. */
export async function* runPipeline(
	parts: PipelineParts,
	recording: Recording,
	options: TranscribeOptions,
	signal: AbortSignal,
	hooks: PipelineHooks = {},
): AsyncGenerator<PipelineEvent> {
	const { firstClip = 0, onRunning } = hooks;
	const stopwatch = new Stopwatch();
	onRunning?.(-1);
	const audio = await stopwatch.decoding(() => parts.decode(recording));
	throwIfGone(signal);
	const clips = await stopwatch.decoding(() => clipsOf(parts, audio, options.chunking));
	throwIfGone(signal);
	yield { type: 'started', duration: audio.duration, clips: clips.length };

	// Ending the iteration early (the consumer's `return`) must cancel the rest like the signal does.
	const rest = new AbortController();
	const end = () => rest.abort();
	signal.addEventListener('abort', end, { once: true });
	const line = {};
	const recognize = recognizeOptionsOf(options);
	try {
		const results = clips.slice(firstClip).map((clip, index) =>
			parts.scheduler.submit({
				recording: line,
				clip: lengthened(clip, parts.limits.minClipSeconds),
				options: recognize,
				signal: rest.signal,
				stopwatch,
				...(onRunning ? { onStart: () => onRunning(firstClip + index) } : {}),
			}),
		);
		// Each is awaited below in order; one that fails meanwhile must not count as unhandled.
		for (const result of results) result.catch(() => {});
		for (const [index, result] of results.entries()) {
			const clip = clips[firstClip + index];
			if (!clip) continue;
			const { segments, language } = await result;
			yield {
				type: 'clip',
				clip: firstClip + index,
				segments: placed({ segments, language }, clip),
				language,
				processed: clip.end,
			};
		}
		yield { type: 'ended', timing: stopwatch.read() };
	} finally {
		signal.removeEventListener('abort', end);
		rest.abort();
	}
}

/** Numbers the segments and adds the finished transcript. */
export async function* finished(
	events: AsyncIterable<PipelineEvent>,
	about: { readonly model: string; readonly task: Task; readonly language: string | null },
): AsyncGenerator<TranscriptEvent> {
	const segments: Segment[] = [];
	const votes = new Map<string, number>();
	let duration = 0;
	let timing: Timing | undefined;
	for await (const event of events) {
		if (event.type === 'started') {
			duration = event.duration;
			yield event;
			continue;
		}
		if (event.type === 'ended') {
			timing = event.timing;
			continue;
		}
		const numbered = event.segments.map((segment, index) => ({ id: segments.length + index, ...segment }));
		segments.push(...numbered);
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
		},
	};
}

async function clipsOf(parts: PipelineParts, audio: Audio, chunking: ChunkingOptions): Promise<Clip[]> {
	const spans = await parts.findSpeech(audio.samples, chunking);
	const ranges = splitSpans(spans, levelsOf(audio.samples, sampleRate), {
		maxClipSeconds: parts.limits.maxClipSeconds,
		mergeGapSeconds: parts.limits.mergeGapSeconds,
		paddingSeconds: chunking.prefixPaddingMs / 1000,
		duration: audio.duration,
	});
	return ranges.map(({ start, end }) => ({
		samples: audio.samples.subarray(Math.floor(start * sampleRate), Math.ceil(end * sampleRate)),
		start,
		end,
	}));
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
