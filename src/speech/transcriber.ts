/** The interface of a loaded model that transcribes recordings; everything above the engines uses it. */

import type { ModelInfo } from './model-info.js';
import type { TranscribeOptions } from './options.js';
import type { Recording } from './recording.js';
import type { TranscriptEvent } from './transcript.js';

export interface Transcriber {
	readonly info: ModelInfo;
	/** Throws EarshotError. Ending the iteration early, or `signal`, cancels the remaining clips and frees their slots. */
	transcribe(
		recording: Recording,
		options: TranscribeOptions,
		signal: AbortSignal,
	): AsyncIterable<TranscriptEvent>;
}
