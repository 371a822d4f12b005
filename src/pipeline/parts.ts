/** What the pipeline of a loaded model is made of. */

import type { OpenAudio } from '../audio/decode.js';
import type { OpenVad } from '../audio/vad.js';
import type { Limits } from '../engines/engine.js';
import type { Scheduler } from '../scheduler/scheduler.js';
import type { ModelInfo } from '../speech/model-info.js';

export interface PipelineParts {
	readonly info: ModelInfo;
	readonly limits: Limits;
	readonly scheduler: Scheduler;
	readonly open: OpenAudio;
	readonly search: OpenVad;
}

export interface PipelineHooks {
	/** Clips before this one were finished in an earlier try and are passed over. */
	readonly firstClip?: number;
	/** What is being worked on: the clip's position, or -1 for the first block being cut, -2 for the second … */
	readonly onRunning?: (step: number) => void;
	/** A block is cut. Of clips their events tell. */
	readonly onPassed?: (step: number) => void;
}
