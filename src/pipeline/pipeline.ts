/** Transcribes one recording: splits it into clips, schedules them and places their segments, all concurrently. */

import { ChannelChunker, type ClipSource } from '../audio/channel-chunker.js';
import { Chunker } from '../audio/chunker.js';
import { GroupClips } from '../audio/group-clips.js';
import { throwIfCancelled } from '../core/abort.js';
import type { Clip, ClipResult } from '../core/speech/clip.js';
import type { PipelineEvent } from '../core/speech/events.js';
import type { RecognizeOptions, TranscribeOptions } from '../core/speech/options.js';
import type { Recording } from '../core/speech/recording.js';
import { toMilliseconds } from '../core/speech/seconds.js';
import { Stopwatch } from '../core/speech/timing.js';
import { ClipQueue } from './clip-queue.js';
import { uncovered } from './coverage.js';
import { runCut } from './cut.js';
import { decodeBlock } from './decode-block.js';
import type { PipelineHooks, PipelineParts } from './parts.js';
import { placed } from './place.js';
import { endedEvent, startedEvent } from './source-events.js';

/** Yields `started`, one `clip` per clip in the order of the recording (not of completion), then `ended`. For a
 * recording that is only cut: `group` events instead of `clip`. */
export async function* runPipeline(
	parts: PipelineParts,
	recording: Recording,
	options: TranscribeOptions,
	signal: AbortSignal,
	hooks: PipelineHooks = {},
): AsyncGenerator<PipelineEvent> {
	throwIfCancelled(signal);
	const chunker = sourceOf(parts, recording, options);
	if (options.piece?.kind === 'cut') {
		yield* runCut(chunker, options.piece, signal, hooks);
		return;
	}
	const stopwatch = new Stopwatch();
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
		yield startedEvent(chunker);
		const queue = new ClipQueue(parts, recognizeOptionsOf(options), unfinished.signal, stopwatch, hooks);
		const chunking = decodeAhead(chunker, first, queue, stopwatch, hooks);
		chunking.catch((thrown: unknown) => {
			decodeFailure = thrown;
			end();
		});
		for (let next = await queue.next(); next; next = await queue.next()) {
			const { clip, position, result } = next;
			yield clipEvent(clip, position, await result);
		}
		await chunking;
		isComplete = true;
		yield endedEvent(chunker, stopwatch);
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

function sourceOf(parts: PipelineParts, recording: Recording, options: TranscribeOptions): ClipSource {
	if (options.piece?.kind === 'group') return new GroupClips(recording);
	const Clips = options.channels === 'split' ? ChannelChunker : Chunker;
	return new Clips(parts, recording, options);
}

function clipEvent(clip: Clip, position: number, result: ClipResult): PipelineEvent {
	const { language, removedRepetitions } = result;
	const segments = placed(result, clip);
	const missing = uncovered(clip.speech ?? [], segments);
	const marked = missing.map(({ start, end }) => ({
		start: toMilliseconds(start),
		end: toMilliseconds(end),
		...(clip.channel !== undefined && { channel: clip.channel }),
	}));
	return {
		type: 'clip',
		clip: position,
		start: toMilliseconds(clip.start),
		segments,
		language,
		processed: toMilliseconds(clip.end),
		...(removedRepetitions && {
			removedRepetitions: removedRepetitions.map(({ start, end }) => ({
				start: toMilliseconds(clip.start + start),
				end: toMilliseconds(clip.start + end),
			})),
		}),
		...(marked.length > 0 && { untranscribed: marked }),
	};
}

/** Decodes as far ahead of the engine as the queue has capacity. */
async function decodeAhead(
	chunker: ClipSource,
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
	const { chunking: _, channels: __, background: ___, breaks: ____, piece: _____, ...recognize } = options;
	return recognize;
}
