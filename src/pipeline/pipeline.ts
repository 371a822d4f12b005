/** Transcribes one recording: splits it into clips, schedules them and places their segments, all concurrently. */

import { Chunker } from '../audio/chunker.js';
import type { Clip } from '../speech/clip.js';
import type { PipelineEvent } from '../speech/events.js';
import type { RecognizeOptions, TranscribeOptions } from '../speech/options.js';
import type { Recording } from '../speech/recording.js';
import { toMilliseconds } from '../speech/seconds.js';
import { Stopwatch } from '../speech/timing.js';
import { ClipQueue, throwIfCancelled } from './clip-queue.js';
import type { PipelineHooks, PipelineParts } from './parts.js';
import { placed } from './place.js';

/** Yields `started`, one `clip` per clip in the order of the recording (not of completion), then `ended`. */
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
	const unfinished = new AbortController();
	let decodeFailure: unknown;
	let isComplete = false;
	const close = () => {
		chunker.close().catch(() => {});
	};
	// Stops decoding and cancels clips that wait or run: on the consumer's `return`, on the signal and on a failure.
	const end = () => {
		unfinished.abort();
		close();
	};
	signal.addEventListener('abort', end, { once: true });
	try {
		const first = await decodeBlock(chunker, stopwatch, hooks);
		const { duration } = chunker;
		yield { type: 'started', duration: duration === null ? null : toMilliseconds(duration) };
		const queue = new ClipQueue(parts, recognizeOptionsOf(options), unfinished.signal, stopwatch, hooks);
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
				processed: toMilliseconds(clip.end),
				...(removedRepetitions && {
					removedRepetitions: removedRepetitions.map(({ start, end }) => ({
						start: toMilliseconds(clip.start + start),
						end: toMilliseconds(clip.start + end),
					})),
				}),
			};
		}
		await chunking;
		isComplete = true;
		yield { type: 'ended', duration: toMilliseconds(chunker.decodedSeconds), timing: stopwatch.read() };
	} catch (thrown) {
		throwIfCancelled(signal);
		// A decode failure cancels the clips, so it is the cause of whatever they threw.
		throw decodeFailure ?? thrown;
	} finally {
		signal.removeEventListener('abort', end);
		if (isComplete) close();
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

/** Decodes as far ahead of the engine as the queue has capacity. */
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

/** One object for all clips of a recording, so that comparing their options is a comparison of references. */
function recognizeOptionsOf(options: TranscribeOptions): RecognizeOptions {
	const { chunking: _, ...recognize } = options;
	return recognize;
}
