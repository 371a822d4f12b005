/** The JSON contents of a job's blobs. */

import type { ClipEvent } from '../core/speech/events.js';
import type { KnownVoice } from '../core/speech/speakers.js';
import type { Timing } from '../core/speech/timing.js';
import type { Transcript, TranscriptEvent } from '../core/speech/transcript.js';

/** `request.json`: the unparsed fields of the request, so that a later attempt parses them by the same rules. */
export interface RequestBlob {
	readonly fields: readonly (readonly [name: string, values: readonly string[]])[];
	/** The model named in the request's path, as Azure's clients do. */
	readonly deployment?: string;
	/** The enrolled voices that the request names, as they were when it was received; absent if it names none. */
	readonly enrolled?: readonly KnownVoice[];
}

/** `result.json`: the source from which every response format is rendered. */
export interface ResultBlob {
	readonly transcript: Transcript;
	/** Timing of the last attempt. */
	readonly timing?: Timing;
}

/** Result of part 0 of a divided job: what is needed, besides the groups' results, to join them. */
export interface DivisionBlob {
	readonly groups: number;
	/** Duration of the recording, seconds. */
	readonly duration: number;
	readonly truncated?: boolean;
	/** Requested language; null = the model detects it for each clip. */
	readonly language: string | null;
	readonly timing: Timing;
}

/** Result of a group. */
export interface GroupBlob {
	readonly clips: readonly ClipEvent[];
	readonly timing?: Timing;
}

/** `result.json` of a synchronous request: the last event of its transcription. */
export type RequestResultBlob = Extract<TranscriptEvent, { readonly type: 'done' }>;
