/** What everyone above the engines speaks to: a loaded model that turns recordings into transcripts. */

import type { ModelInfo } from './model-info.js';
import type { TranscribeOptions } from './options.js';
import type { Recording } from './recording.js';
import type { TranscriptEvent } from './transcript.js';

export interface Transcriber {
	readonly info: ModelInfo;
	/** Throws EarshotError. Ending the iteration, or `signal`, cancels what is left and frees its slots. */
	transcribe(
		recording: Recording,
		options: TranscribeOptions,
		signal: AbortSignal,
	): AsyncIterable<TranscriptEvent>;
}
