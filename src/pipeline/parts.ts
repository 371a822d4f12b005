/** The parts of a loaded model's pipeline, and its hooks. */

import type { OpenAudio } from '../audio/decode.js';
import type { OpenVad } from '../audio/vad.js';
import type { ModelInfo } from '../core/speech/model-info.js';
import type { Limits } from '../engines/engine.js';
import type { Scheduler } from '../scheduler/scheduler.js';

export interface PipelineParts {
	readonly info: ModelInfo;
	readonly limits: Limits;
	readonly scheduler: Scheduler;
	readonly openAudio: OpenAudio;
	readonly openVad: OpenVad;
}

export interface PipelineHooks {
	/** Clips before this one were finished in an earlier attempt and are skipped. */
	readonly firstClip?: number;
	/** As in `TranscribeOptions`. */
	readonly background?: boolean | undefined;
	/** A step has started: a clip's index (from 0), or -1 for decoding the first block, -2 for the second, … `seconds`: of
	 * audio in a clip; 0 for a block. */
	readonly onRunning?: (step: number, seconds: number) => void;
	/** A step has ended, with a result or without: no thread works on it any longer. After a cancellation this comes
	 * later. */
	readonly onEnded?: (step: number, hasResult: boolean) => void;
	/** A block has been decoded and split. Clips report their end by their events. */
	readonly onStepFinished?: (step: number) => void;
}
