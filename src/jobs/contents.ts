/** What the blobs of a job say, in JSON. */

import type { ClipEvent } from '../speech/events.js';
import type { KnownVoice } from '../speech/speakers.js';
import type { Timing } from '../speech/timing.js';
import type { Transcript, TranscriptEvent } from '../speech/transcript.js';

/** `request.json`: the fields of the request as they came, so that a later start reads them by the same rules. */
export interface RequestBlob {
	readonly fields: readonly (readonly [name: string, values: readonly string[]])[];
	/** The model that the path named, as Azure's clients do. */
	readonly deployment?: string;
	/** The enrolled voices that the request names, as they were when it came; absent where it names none. */
	readonly enrolled?: readonly KnownVoice[];
}

/** `result.json`: any format is rendered from it. */
export interface ResultBlob {
	readonly transcript: Transcript;
	/** Of the last attempt. */
	readonly timing?: Timing;
}

/** Of part 0 of a job that was divided: what it takes beside the groups to join them. */
export interface DivisionBlob {
	readonly groups: number;
	/** Of the recording, seconds. */
	readonly duration: number;
	readonly truncated?: boolean;
	/** As requested; null = the model detects it for each clip. */
	readonly language: string | null;
	readonly timing: Timing;
}

/** Of a group. */
export interface GroupBlob {
	/** In order. */
	readonly clips: readonly ClipEvent[];
	readonly timing?: Timing;
}

/** `result.json` of a request whose client waits: the last event of its transcription. */
export type RequestResultBlob = Extract<TranscriptEvent, { readonly type: 'done' }>;
