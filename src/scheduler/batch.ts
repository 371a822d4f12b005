/** Decides which clips run in one batch. Pure. */

import type { RecognizeOptions } from '../core/speech/options.js';
import type { Limits } from '../engines/engine.js';
import { secondsOf } from './fairness.js';
import type { RecordingQueue, WaitingClip } from './waiting.js';

/**
 * Largest difference in length, in audio seconds, within a batch that is not padded: a short clip has no result before
 * the longest clip of its batch is encoded. Padded batches are bounded by `maxPaddingShare` instead.
 */
export const maxBatchSpreadSeconds = 10;

type Waits<W extends WaitingClip> = Pick<RecordingQueue<W>, 'waiting'>;

/** Largest share of a padded batch that may be padding: beyond it, padding costs more than batching gains. */
export const maxPaddingShare = 0.2;

/**
 * Always takes the head of the first queue, so no clip starves. Adds clips with equal options that fit: the heads of
 * all queues first, then their second clips, and so on; where the library pads, clips nearest in length first. Empty
 * only when no clip waits.
 */
export function pickBatch<W extends WaitingClip>(
	queues: readonly Waits<W>[],
	limits: Pick<Limits, 'maxBatchClips' | 'maxBatchSeconds' | 'padded'>,
): W[] {
	const first = queues[0]?.waiting[0];
	if (!first) return [];
	const batch = [first];
	if (limits.maxBatchClips === 1) return batch;
	const others = inRounds(queues).filter(
		(each) => each !== first && sameOptions(each.options, first.options),
	);
	const distance = (each: W) => Math.abs(secondsOf(each) - secondsOf(first));
	if (limits.padded) others.sort((a, b) => distance(a) - distance(b));
	for (const next of others) {
		if (batch.length >= limits.maxBatchClips) break;
		if (fits([...batch, next], limits)) batch.push(next);
	}
	return batch;
}

/** The first clip of every queue, then the second of every queue, and so on. */
function inRounds<W extends WaitingClip>(queues: readonly Waits<W>[]): W[] {
	const clips: W[] = [];
	const rounds = Math.max(...queues.map((queue) => queue.waiting.length));
	for (let round = 0; round < rounds; round++) {
		for (const { waiting } of queues) {
			const next = waiting[round];
			if (next) clips.push(next);
		}
	}
	return clips;
}

/** With padding, a 30 s clip would raise the cost of each 2 s clip in its batch to 30 s. */
function fits(
	batch: readonly WaitingClip[],
	{ padded, maxBatchSeconds }: Pick<Limits, 'maxBatchSeconds' | 'padded'>,
): boolean {
	const { seconds, padding } = costOf(batch, padded);
	if (seconds + padding > maxBatchSeconds) return false;
	return padded ? padding <= (seconds + padding) * maxPaddingShare : alikeInLength(batch);
}

function alikeInLength(clips: readonly WaitingClip[]): boolean {
	const lengths = clips.map(secondsOf);
	return Math.max(...lengths) - Math.min(...lengths) <= maxBatchSpreadSeconds;
}

/** Audio seconds of the batch, and seconds of padding: longest × count − audio seconds if the library pads, else 0. */
export function costOf(
	batch: readonly WaitingClip[],
	padded: boolean,
): { readonly seconds: number; readonly padding: number } {
	const seconds = batch.reduce((sum, each) => sum + secondsOf(each), 0);
	return { seconds, padding: padded ? Math.max(...batch.map(secondsOf)) * batch.length - seconds : 0 };
}

/** Whether `next` may join the clips that a slot is decoding now. */
export function canJoin<W extends WaitingClip>(
	next: W,
	clips: readonly W[],
	limits: Pick<Limits, 'maxBatchClips' | 'maxBatchSeconds' | 'padded'>,
): boolean {
	return (
		clips.length < limits.maxBatchClips &&
		clips.every(({ options }) => sameOptions(options, next.options)) &&
		fits([...clips, next], limits)
	);
}

/** Like `canJoin`, but ignores the batch limits. For libraries that do not pad. */
export function isCompatible(next: WaitingClip, clips: readonly WaitingClip[]): boolean {
	return clips.every(({ options }) => sameOptions(options, next.options)) && alikeInLength([...clips, next]);
}

function sameOptions(a: RecognizeOptions, b: RecognizeOptions): boolean {
	return a === b || JSON.stringify(a) === JSON.stringify(b);
}
