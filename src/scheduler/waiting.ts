/** Clips that wait for a slot. */

import type { Clip } from '../core/speech/clip.js';
import type { RecognizeOptions } from '../core/speech/options.js';

export interface WaitingClip {
	readonly clip: Clip;
	readonly options: RecognizeOptions;
}

/** The waiting clips of one recording, in the order in which they run. */
export interface RecordingQueue<W extends WaitingClip> {
	readonly waiting: readonly W[];
	/** Audio seconds of the recording that have already been started. */
	readonly startedSeconds: number;
}
