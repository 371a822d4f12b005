/** A recording becomes clips, clips become segments: cut → schedule → place, all at once. */

import { Cutter } from '../audio/chunker.js';
import type { Clip } from '../speech/clip.js';
import type { PipelineEvent } from '../speech/events.js';
import type { RecognizeOptions, TranscribeOptions } from '../speech/options.js';
import type { Recording } from '../speech/recording.js';
import { Stopwatch } from '../speech/timing.js';
import { ClipLine, throwIfCancelled } from './clip-queue.js';
import type { PipelineHooks, PipelineParts } from './parts.js';
import { placed } from './place.js';

/** Yields `started`, one `clip` each in the order of the recording, however they finish, and `ended`. */
export async function* runPipeline(
	parts: PipelineParts,
	recording: Recording,
	options: TranscribeOptions,
	signal: AbortSignal,
	hooks: PipelineHooks = {},
): AsyncGenerator<PipelineEvent> {
	throwIfCancelled(signal);
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
		throwIfCancelled(signal);
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

/** One object for all clips of a recording, so that equal options are the same object. */
function recognizeOptionsOf(options: TranscribeOptions): RecognizeOptions {
	const { chunking: _, ...recognize } = options;
	return recognize;
}
