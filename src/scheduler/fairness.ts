/** Whose turn it is among the recordings that wait. Pure. */

import type { Line, WaitingClip } from './waiting.js';

/**
 * A recording is interactive until so much of it has been handed out: a dictation is through by then, and
 * the first words of a long file come soon. Nobody has to know how long a recording is, which is told late.
 */
export const interactiveSeconds = 30;

/** Of the audio handed out while both wait, this share goes to bulk: it ages by what goes before it. */
export const bulkShare = 0.25;

export function isInteractive({ given }: Pick<Line<WaitingClip>, 'given'>): boolean {
	return given < interactiveSeconds;
}

/**
 * Interactive recordings before bulk, or after it once bulk has earned its next clip; each kind in the order
 * of its turns. `lines` in the order of their turns; `bulkCredit` in audio seconds.
 */
export function inTurn<W extends WaitingClip>(
	lines: readonly Line<W>[],
	bulkCredit: number,
): readonly Line<W>[] {
	const interactive = lines.filter(isInteractive);
	if (interactive.length === 0 || interactive.length === lines.length) return lines;
	const bulk = lines.filter((line) => !isInteractive(line));
	const earned = bulkCredit >= secondsOf(bulk[0]?.waiting[0]);
	return earned ? [...bulk, ...interactive] : [...interactive, ...bulk];
}

/** What bulk has earned after `taken` were handed out of `lines`, as they were before. */
export function bulkCreditAfter<W extends WaitingClip>(
	lines: readonly Line<W>[],
	taken: ReadonlySet<W>,
	credit: number,
): number {
	const bulk = lines.filter((line) => !isInteractive(line));
	if (bulk.every(({ waiting }) => waiting.length === 0)) return 0;
	let earned = credit;
	for (const line of lines) {
		const handedOut = line.waiting.reduce((sum, clip) => (taken.has(clip) ? sum + secondsOf(clip) : sum), 0);
		earned += isInteractive(line) ? (handedOut * bulkShare) / (1 - bulkShare) : -handedOut;
	}
	return Math.max(0, earned);
}

/** Audio seconds of a clip. */
export function secondsOf(waiting: WaitingClip | undefined): number {
	return waiting === undefined ? 0 : waiting.clip.end - waiting.clip.start;
}
