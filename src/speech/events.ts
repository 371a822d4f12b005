/** The events of one recording, sent by the pipeline in the runner process. */

import type { FoundSpeakers } from './speakers.js';
import type { Timing } from './timing.js';
import type { Segment, Stretch, Untranscribed } from './transcript.js';

/** A segment without its id, which is assigned when the transcript is assembled. */
export type PlacedSegment = Omit<Segment, 'id'>;

export type PipelineEvent =
	/** The first block was decoded. `duration`: seconds, as declared by the container (exact for recordings of one
	 * block); null if it declares none. */
	| { readonly type: 'started'; readonly duration: number | null }
	| {
			readonly type: 'clip';
			readonly clip: number;
			/** Clips and segments of later events do not start before this, seconds of the recording. */
			readonly start: number;
			readonly segments: readonly PlacedSegment[];
			readonly language: string | null;
			readonly processed: number;
			readonly removedRepetitions?: readonly Stretch[];
			readonly untranscribed?: readonly Untranscribed[];
	  }
	/** Of diarization: how far it is, seconds of the recording; and who speaks when. */
	| { readonly type: 'progress'; readonly processed: number }
	| { readonly type: 'speakers'; readonly found: FoundSpeakers }
	/** The last event. `duration`: exact, in seconds. `truncated`: the file ends before its recording does. */
	| {
			readonly type: 'ended';
			readonly duration: number;
			readonly truncated?: boolean;
			readonly timing: Timing;
	  };

/** A finished clip. As JSON it stays what it is, so that it can be kept on disk. */
export type ClipEvent = Extract<PipelineEvent, { readonly type: 'clip' }>;
