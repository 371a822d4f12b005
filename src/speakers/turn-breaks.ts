/** Where a recording is cut for models that give no times of words. Pure. */

import type { SpeakerTurn } from '../speech/speakers.js';

/** What is said in a shorter turn is no word of its own. */
const leastTurnSeconds = 0.4;

/**
 * Between each two turns of different speakers: in the middle of the pause, or of the time in which both speak. None in a
 * turn within which another is heard: what both say at once is one clip whatever is cut. `turns`: in order of their start.
 */
export function breaksBetween(turns: readonly SpeakerTurn[]): number[] {
	const breaks: number[] = [];
	let current: SpeakerTurn | undefined;
	for (const turn of turns) {
		if (turn.end - turn.start < leastTurnSeconds) continue;
		if (current && turn.end <= current.end) continue;
		if (current && turn.speaker !== current.speaker) breaks.push((current.end + turn.start) / 2);
		current = turn;
	}
	return breaks;
}
