/** What the pipeline reports of one recording, from the process of its model. */

import type { Timing } from './timing.js';
import type { RemovedRepetition, Segment } from './transcript.js';

/** Segments without the ids that only the whole transcript can give. */
export type PlacedSegment = Omit<Segment, 'id'>;

export type PipelineEvent =
	/** Something could be decoded. Seconds as the container declares them, exact for recordings of one block; null
	 * where it does not. */
	| { readonly type: 'started'; readonly duration: number | null }
	| {
			readonly type: 'clip';
			readonly clip: number;
			readonly segments: readonly PlacedSegment[];
			readonly language: string | null;
			readonly processed: number;
			readonly removedRepetitions?: readonly RemovedRepetition[];
	  }
	/** The last one, once everything else has been taken. Seconds of the recording. */
	| { readonly type: 'ended'; readonly duration: number; readonly timing: Timing };
