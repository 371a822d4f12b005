/** The library's result of diarization. */

import type { Stretch, TranscriptEvent } from '../core/speech/transcript.js';
import { speakerNames } from '../speakers/names.js';
import { foundIn } from '../speakers/with-speakers.js';

/** Who speaks when in a recording. */
export interface SpeakerTurns {
	/** Seconds of the recording. */
	readonly duration: number;
	/** In order of their start; turns of different speakers may overlap. */
	readonly turns: readonly NamedTurn[];
}

/** A turn and its speaker. */
export interface NamedTurn extends Stretch {
	/** `A`, `B`, … in order of appearance. */
	readonly speaker: string;
}

/** The speaker turns in the events of a diarization model. */
export async function turnsIn(events: AsyncIterable<TranscriptEvent>): Promise<SpeakerTurns> {
	const { found, transcript } = await foundIn(events);
	const names = speakerNames(found.speakers);
	const turns = found.turns.map(({ start, end, speaker }) => ({ start, end, speaker: names[speaker] ?? '' }));
	return { duration: transcript.duration, turns };
}
