/** The interface of a loaded model that transcribes recordings; everything above the engines uses it. */

import type { ClipEvent, CutEvent } from './events.js';
import type { ModelInfo } from './model-info.js';
import type { CutOptions, TranscribeOptions } from './options.js';
import type { Recording } from './recording.js';
import type { TranscriptEvent } from './transcript.js';

/** For going on with a transcription that another process has begun. */
export interface Checkpoints {
	/** Clips that are finished, in order from the first: their events are repeated instead of their work. Where clips begin
	 * and end depends on the recording, its options and the model alone, so these must be the same. */
	readonly done: readonly ClipEvent[];
	/** Called with each further clip in order, before its text is told. */
	readonly onClip: (clip: ClipEvent) => void;
}

export interface Transcriber {
	readonly info: ModelInfo;
	/** Throws EarshotError. `checkpoints`: to go on where an earlier call has stopped. Ending the iteration early, or `signal`, cancels the remaining clips and frees their slots. */
	transcribe(
		recording: Recording,
		options: TranscribeOptions,
		signal: AbortSignal,
		checkpoints?: Checkpoints,
	): AsyncIterable<TranscriptEvent>;
}

/** Cuts recordings as the model would for itself. */
export interface Cutter {
	/** Throws EarshotError. Ending the iteration early, or `signal`, ends it. */
	cut(
		recording: Recording,
		options: TranscribeOptions,
		how: CutOptions,
		signal: AbortSignal,
	): AsyncIterable<CutEvent>;
}
