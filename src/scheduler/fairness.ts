/** Whose turn it is among the recordings that wait. Pure. */

import type { RecordingQueue, WaitingClip } from './waiting.js';

/**
 * A recording is interactive until so much of it has been handed out: a dictation is through by then, and
 * the first words of a long file come soon. Nobody has to know how long a recording is, which is told late.
 */
export const interactiveSeconds = 30;

/** Of the audio handed out while both wait, this share goes to background: it ages by what goes before it. */
export const backgroundShare = 0.25;

export function isInteractive({ given }: Pick<RecordingQueue<WaitingClip>, 'given'>): boolean {
	return given < interactiveSeconds;
}

/**
 * Interactive recordings before background, or after it once background has earned its next clip; each kind in the order
 * of its turns. `queues` in the order of their turns; `backgroundCredit` in audio seconds.
 */
export function inTurn<W extends WaitingClip>(
	queues: readonly RecordingQueue<W>[],
	backgroundCredit: number,
): readonly RecordingQueue<W>[] {
	const interactive = queues.filter(isInteractive);
	if (interactive.length === 0 || interactive.length === queues.length) return queues;
	const background = queues.filter((queue) => !isInteractive(queue));
	const earned = backgroundCredit >= secondsOf(background[0]?.waiting[0]);
	return earned ? [...background, ...interactive] : [...interactive, ...background];
}

/** What background has earned after `taken` were handed out of `queues`, as they were before. */
export function backgroundCreditAfter<W extends WaitingClip>(
	queues: readonly RecordingQueue<W>[],
	taken: ReadonlySet<W>,
	credit: number,
): number {
	const background = queues.filter((queue) => !isInteractive(queue));
	if (background.every(({ waiting }) => waiting.length === 0)) return 0;
	let earned = credit;
	for (const queue of queues) {
		const handedOut = queue.waiting.reduce((sum, clip) => (taken.has(clip) ? sum + secondsOf(clip) : sum), 0);
		earned += isInteractive(queue) ? (handedOut * backgroundShare) / (1 - backgroundShare) : -handedOut;
	}
	return Math.max(0, earned);
}

/** Audio seconds of a clip. */
export function secondsOf(waiting: WaitingClip | undefined): number {
	return waiting === undefined ? 0 : waiting.clip.end - waiting.clip.start;
}
