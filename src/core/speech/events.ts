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
	/** Diarization only: the progress, seconds of the recording, and the speaker turns. */
	| { readonly type: 'progress'; readonly processed: number }
	| { readonly type: 'speakers'; readonly found: FoundSpeakers }
	/** Only of a recording that is cut into groups. */
	| Extract<CutEvent, { readonly type: 'group' }>
	/** The last event. `duration`: exact, in seconds. `truncated`: the file ends before its recording does. */
	| {
			readonly type: 'ended';
			readonly duration: number;
			readonly truncated?: boolean;
			readonly timing: Timing;
	  };

/** A finished clip. It survives a round trip through JSON, so it can be stored. */
export type ClipEvent = Extract<PipelineEvent, { readonly type: 'clip' }>;

/** Consecutive clips of a long recording; several workers transcribe one group each. */
export interface ClipGroup {
	/** Index of the group in the recording, from 0. */
	readonly group: number;
	/** Where the previous group ends, seconds of the recording. */
	readonly start: number;
	/** Where its last clip ends, seconds of the recording. */
	readonly end: number;
	readonly clips: number;
}

/** One `started`, any number of `group`, one `ended`. After a crash the groups are repeated from the first. */
export type CutEvent =
	/** `duration`: seconds, as declared by the container; null if it declares none. */
	| { readonly type: 'started'; readonly duration: number | null }
	/** `file`: path of the file with its clips; null for groups before `CutOptions.first`. */
	| { readonly type: 'group'; readonly group: ClipGroup; readonly file: string | null }
	/** `duration`: exact, in seconds. `truncated`: the file ends before its recording does. */
	| {
			readonly type: 'ended';
			readonly duration: number;
			readonly truncated?: boolean;
			readonly timing: Timing;
	  };
