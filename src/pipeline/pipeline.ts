/** A recording becomes clips, clips become segments: cut → schedule → place, all at once. */

import { Chunker } from '../audio/chunker.js';
import type { Clip } from '../speech/clip.js';
import type { PipelineEvent } from '../speech/events.js';
import type { RecognizeOptions, TranscribeOptions } from '../speech/options.js';
import type { Recording } from '../speech/recording.js';
import { Stopwatch } from '../speech/timing.js';
import { ClipQueue, throwIfCancelled } from './clip-queue.js';
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
	const chunker = new Chunker(parts, recording, options.chunking);
	const rest = new AbortController();
	let decodeFailure: unknown;
	let isThrough = false;
	const close = () => {
		chunker.close().catch(() => {});
	};
	// The consumer's `return`, the signal and a failure all end what is left: chunking, and clips that wait or run.
	const end = () => {
		rest.abort();
		close();
	};
	signal.addEventListener('abort', end, { once: true });
	try {
		const first = await decodeBlock(chunker, stopwatch, hooks);
		yield { type: 'started', duration: chunker.duration };
		const queue = new ClipQueue(parts, recognizeOptionsOf(options), rest.signal, stopwatch, hooks);
		const chunking = decodeAhead(chunker, first, queue, stopwatch, hooks);
		chunking.catch((thrown: unknown) => {
			decodeFailure = thrown;
			end();
		});
		for (let next = await queue.next(); next; next = await queue.next()) {
			const { clip, position, result } = next;
			const { segments, language, removedRepetitions } = await result;
			yield {
				type: 'clip',
				clip: position,
				segments: placed({ segments, language }, clip),
				language,
				processed: clip.end,
				...(removedRepetitions && {
					removedRepetitions: removedRepetitions.map(({ start, end }) => ({
						start: clip.start + start,
						end: clip.start + end,
					})),
				}),
			};
		}
		await chunking;
		isThrough = true;
		yield { type: 'ended', duration: chunker.decodedSeconds, timing: stopwatch.read() };
	} catch (thrown) {
		throwIfCancelled(signal);
		// The clips were cancelled for it.
		throw decodeFailure ?? thrown;
	} finally {
		signal.removeEventListener('abort', end);
		if (isThrough) close();
		else end();
	}
}

async function decodeBlock(
	chunker: Chunker,
	stopwatch: Stopwatch,
	{ onRunning, onPassed }: PipelineHooks,
): Promise<Clip[]> {
	const step = -1 - chunker.blocks;
	onRunning?.(step);
	const clips = await stopwatch.decoding(() => chunker.next());
	onPassed?.(step);
	return clips;
}

/** Cuts as far ahead of the engine as the queue has room. */
async function decodeAhead(
	chunker: Chunker,
	first: readonly Clip[],
	queue: ClipQueue,
	stopwatch: Stopwatch,
	hooks: PipelineHooks,
): Promise<void> {
	try {
		for (const clip of first) queue.submit(clip);
		while (!chunker.ended) {
			await queue.waitForCapacity();
			for (const clip of await decodeBlock(chunker, stopwatch, hooks)) queue.submit(clip);
		}
	} finally {
		queue.end();
	}
}

/** One object for all clips of a recording, so that equal options are the same object. */
function recognizeOptionsOf(options: TranscribeOptions): RecognizeOptions {
	const { chunking: _, ...recognize } = options;
	return recognize;
}
