/** The interface of a loaded model that transcribes recordings; everything above the engines uses it. */

import type { ClipEvent, CutEvent } from './events.js';
import type { ModelInfo } from './model-info.js';
import type { CutOptions, TranscribeOptions } from './options.js';
import type { Recording } from './recording.js';
import type { TranscriptEvent } from './transcript.js';

/** For resuming a transcription that another process has begun. */
export interface Checkpoints {
	/** Finished clips, in order from the first: their events are replayed instead of transcribing them again. Recording,
	 * options and model must be the same, since they decide where clips begin and end. */
	readonly done: readonly ClipEvent[];
	/** Called with each further clip in order, before its text is yielded. */
	readonly onClip: (clip: ClipEvent) => void;
}

export interface Transcriber {
	readonly info: ModelInfo;
	/** Throws EarshotError. `checkpoints`: to resume where an earlier call stopped. Ending the iteration early, or
	 * `signal`, cancels the remaining clips and frees their slots. */
	transcribe(
		recording: Recording,
		options: TranscribeOptions,
		signal: AbortSignal,
		checkpoints?: Checkpoints,
	): AsyncIterable<TranscriptEvent>;
}

/** Cuts recordings into the clips that the model would transcribe. */
export interface Cutter {
	/** Throws EarshotError. Ending the iteration early, or `signal`, ends it. */
	cut(
		recording: Recording,
		options: TranscribeOptions,
		how: CutOptions,
		signal: AbortSignal,
	): AsyncIterable<CutEvent>;
}
