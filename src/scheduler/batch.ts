/** Which clips run together. Pure. */

import type { Limits } from '../engines/engine.js';
import type { RecognizeOptions } from '../speech/options.js';
import { secondsOf } from './fairness.js';
import type { RecordingQueue, WaitingClip } from './waiting.js';

/**
 * A short clip that shares a batch with a much longer one waits until that is encoded, at least. Where the library does
 * not pad, nothing else keeps it from sharing one. Audio seconds.
 */
export const maxBatchSpreadSeconds = 10;

type Waits<W extends WaitingClip> = Pick<RecordingQueue<W>, 'waiting'>;

/** Of what a padded batch computes, at most this share may be padding: more costs what batching gains. */
export const maxPaddingShare = 0.2;

/**
 * The head of the first queue, whatever it is, so that nothing starves however often it was passed over; then
 * what asks for the same and fits: heads before followers, or where the library pads, the nearest in length
 * first. Empty only when nothing waits.
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

/** Every queue's first clip, then every queue's second, and so on. */
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

/** Where the library pads, one 30 s clip would make its nine 2 s companions cost 30 s each. */
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

/** Audio seconds of the batch, and the silence that fills it up to longest × count where the library pads. */
export function costOf(
	batch: readonly WaitingClip[],
	padded: boolean,
): { readonly seconds: number; readonly padding: number } {
	const seconds = batch.reduce((sum, each) => sum + secondsOf(each), 0);
	return { seconds, padding: padded ? Math.max(...batch.map(secondsOf)) * batch.length - seconds : 0 };
}

/** Whether a clip may go together with those that a slot is at work on. */
export function fitsBeside<W extends WaitingClip>(
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

/** Whether it could, if there were room beside them. Where the library does not pad. */
export function suits(next: WaitingClip, clips: readonly WaitingClip[]): boolean {
	return clips.every(({ options }) => sameOptions(options, next.options)) && alikeInLength([...clips, next]);
}

function sameOptions(a: RecognizeOptions, b: RecognizeOptions): boolean {
	return a === b || JSON.stringify(a) === JSON.stringify(b);
}
