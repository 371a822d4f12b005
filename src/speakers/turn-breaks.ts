/** Chooses where to split a recording for models without word times. Pure. */

import type { SpeakerTurn } from '../core/speech/speakers.js';

/** A shorter turn contains no complete word, and is ignored. */
const minTurnSeconds = 0.4;

/**
 * A break between each two successive turns of different speakers, seconds: in the middle of the pause or of the
 * overlap. A turn that lies entirely within another causes no break. `turns`: in order of their start.
 */
export function breaksBetween(turns: readonly SpeakerTurn[]): number[] {
	const breaks: number[] = [];
	let current: SpeakerTurn | undefined;
	for (const turn of turns) {
		if (turn.end - turn.start < minTurnSeconds) continue;
		if (current && turn.end <= current.end) continue;
		if (current && turn.speaker !== current.speaker) breaks.push((current.end + turn.start) / 2);
		current = turn;
	}
	return breaks;
}
