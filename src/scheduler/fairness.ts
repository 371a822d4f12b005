/** Decides which waiting recording runs next. Pure. */

import type { RecordingQueue, WaitingClip } from './waiting.js';

/**
 * A recording counts as interactive until this many audio seconds of it have been started, and as background after
 * that. A dictation ends within it, and the first words of a long file arrive early. Measured in started audio because
 * the length of a recording is only known once it is decoded.
 */
export const interactiveSeconds = 30;

/** Share of the started audio that background recordings receive while both kinds wait, so that they never starve. */
export const backgroundShare = 0.25;

export function isInteractive({
	startedSeconds,
}: Pick<RecordingQueue<WaitingClip>, 'startedSeconds'>): boolean {
	return startedSeconds < interactiveSeconds;
}

/**
 * The queues in scheduling order: interactive recordings first, or background ones once their credit pays for the next
 * clip. Within each kind the order of `queues` (round-robin) is kept. `backgroundCredit`: audio seconds.
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

/** The background credit after the clips `taken` were started. `queues`: as they were before that. */
export function backgroundCreditAfter<W extends WaitingClip>(
	queues: readonly RecordingQueue<W>[],
	taken: ReadonlySet<W>,
	credit: number,
): number {
	const background = queues.filter((queue) => !isInteractive(queue));
	if (background.every(({ waiting }) => waiting.length === 0)) return 0;
	let earned = credit;
	for (const queue of queues) {
		const seconds = queue.waiting.reduce((sum, clip) => (taken.has(clip) ? sum + secondsOf(clip) : sum), 0);
		earned += isInteractive(queue) ? (seconds * backgroundShare) / (1 - backgroundShare) : -seconds;
	}
	return Math.max(0, earned);
}

/** Audio seconds of a clip. */
export function secondsOf(waiting: WaitingClip | undefined): number {
	return waiting === undefined ? 0 : waiting.clip.end - waiting.clip.start;
}
