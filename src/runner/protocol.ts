/** What server and runner say to each other over the child's IPC channel (structured clone). */

import type { WireError } from '../errors.js';
import type { RunnerReport } from '../metrics.js';
import type { ModelEntry } from '../models/registry/entry.js';
import type { PipelineEvent } from '../speech/events.js';
import type { ModelInfo } from '../speech/model-info.js';
import type { TranscribeOptions } from '../speech/options.js';
import type { Recording } from '../speech/recording.js';
import type { RunnerSettings } from './settings.js';

export type ToRunner =
	/** First and once. Answered by `ready` or `load-failed`. */
	| { readonly type: 'load'; readonly entry: ModelEntry; readonly settings: RunnerSettings }
	/** Answered by `running` and `event`s, then `finished` or `failed`. */
	| {
			readonly type: 'transcribe';
			readonly request: number;
			readonly recording: Recording;
			readonly options: TranscribeOptions;
			/** Clips before this one are done already. */
			readonly firstClip: number;
	  }
	| { readonly type: 'cancel'; readonly request: number }
	/** Finish what runs, free the model, end the process. */
	| { readonly type: 'close' };

/** The channel carries them in lists, in order. */
export type FromRunner =
	| { readonly type: 'ready'; readonly info: ModelInfo; readonly rssBytes: number }
	| { readonly type: 'load-failed'; readonly error: WireError }
	/** Sent before the work starts, so that after a crash the server knows what was in flight: a clip's position, or
	 * -1 for the first block being cut, -2 for the second … */
	| { readonly type: 'running'; readonly request: number; readonly step: number }
	/** A block is cut. Of clips their events tell. */
	| { readonly type: 'passed'; readonly request: number; readonly step: number }
	/** `rssBytes`: resident memory of the whole process by then. */
	| {
			readonly type: 'event';
			readonly request: number;
			readonly event: PipelineEvent;
			readonly rssBytes: number;
	  }
	/** For the metrics, a few times a second while anything happens. */
	| { readonly type: 'report'; readonly report: RunnerReport }
	| { readonly type: 'finished'; readonly request: number; readonly rssBytes: number }
	| { readonly type: 'failed'; readonly request: number; readonly error: WireError };
