/** Which clips run next. Pure. */

import type { Limits, RecognizeOptions } from '../engines/engine.js';
import type { Line, WaitingClip } from './queue.js';

/**
 * The head of the line whose turn it is, then heads and followers of all lines in turn, as long as their
 * options are the same and the batch stays within the limits. Empty only when nothing waits.
 */
export function pickBatch<W extends WaitingClip>(
	lines: readonly Line<W>[],
	limits: Pick<Limits, 'maxBatchClips' | 'maxBatchSeconds' | 'padded'>,
): W[] {
	const first = lines[0]?.waiting[0];
	if (!first) return [];
	const batch = [first];
	const rounds = Math.max(0, ...lines.map((line) => line.waiting.length));
	for (let round = 0; round < rounds && batch.length < limits.maxBatchClips; round++) {
		for (const line of lines) {
			const next = line.waiting[round];
			if (!next || next === first || batch.length >= limits.maxBatchClips) continue;
			if (!sameOptions(next.options, first.options)) continue;
			if (costOf([...batch, next], limits.padded) <= limits.maxBatchSeconds) batch.push(next);
		}
	}
	return batch;
}

/** Cost is longest × count where the library pads: one 30 s clip makes its nine 2 s companions cost 30 s each. */
function costOf(batch: readonly WaitingClip[], padded: boolean): number {
	const seconds = batch.map(({ clip }) => clip.end - clip.start);
	return padded ? Math.max(...seconds) * seconds.length : seconds.reduce((sum, each) => sum + each, 0);
}

function sameOptions(a: RecognizeOptions, b: RecognizeOptions): boolean {
	return a === b || JSON.stringify(a) === JSON.stringify(b);
}
