/** Clips that wait for a place. */

import type { Clip } from '../speech/clip.js';
import type { RecognizeOptions } from '../speech/options.js';

export interface WaitingClip {
	readonly clip: Clip;
	readonly options: RecognizeOptions;
}

/** The clips of one recording that wait, first to be run first. */
export interface RecordingQueue<W extends WaitingClip> {
	readonly waiting: readonly W[];
	/** Audio seconds of the recording that were handed out before. */
	readonly given: number;
}
