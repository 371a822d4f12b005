/** The messages between server and runner process, over the child's IPC channel (structured clone). */

import type { WireError } from '../core/errors.js';
import type { LiveCommand, LiveEvent, LiveOptions } from '../core/live/live.js';
import type { RunnerReport } from '../core/metrics.js';
import type { PipelineEvent } from '../core/speech/events.js';
import type { ModelInfo } from '../core/speech/model-info.js';
import type { TranscribeOptions } from '../core/speech/options.js';
import type { Recording } from '../core/speech/recording.js';
import type { ModelEntry } from '../models/registry/entry.js';
import type { RunnerSettings } from './settings.js';

export type ToRunner =
	/** Sent first, once. Answered by `ready` or `load-failed`. */
	| { readonly type: 'load'; readonly entry: ModelEntry; readonly settings: RunnerSettings }
	/** Answered by `running` and `event`s, then `finished` or `failed`. */
	| {
			readonly type: 'transcribe';
			readonly request: number;
			readonly recording: Recording;
			readonly options: TranscribeOptions;
			/** Clips before this one are done and are skipped. */
			readonly firstClip: number;
	  }
	| { readonly type: 'cancel'; readonly request: number }
	/** Answered by `live` messages with the stream's events. Streams and requests are numbered separately. */
	| { readonly type: 'live-open'; readonly stream: number; readonly options: LiveOptions }
	| { readonly type: 'live'; readonly stream: number; readonly command: LiveCommand }
	| { readonly type: 'live-close'; readonly stream: number }
	/** Heartbeat ping. Answered by `pong` at once, whatever runs. */
	| { readonly type: 'ping' }
	/** Cancel running requests, free the model, end the process. */
	| { readonly type: 'close' };

/** The work of a runner's threads. */
export interface WorkReport {
	/** Clips that have ended with a result. */
	readonly clips: number;
	/** Processing time of the slowest of these clips, milliseconds per second of audio. */
	readonly slowestMsPerSecond: number;
	/** The step that has been running for longest, also of a cancelled request. `number`: unique per step. */
	readonly oldest?: { readonly number: number; readonly request: number; readonly step: number };
}

/** An event of a live stream. Errors cannot be cloned, so they are serialized separately. */
export type LiveEventOnWire =
	| { readonly event: Exclude<LiveEvent, { readonly error: unknown }> }
	| {
			readonly event: Omit<Extract<LiveEvent, { readonly error: unknown }>, 'error'>;
			readonly error: WireError;
	  };

/** Sent in arrays, in order. */
export type FromRunner =
	| { readonly type: 'ready'; readonly info: ModelInfo; readonly rssBytes: number }
	| { readonly type: 'load-failed'; readonly error: WireError }
	/** Sent before a step starts, so that after a crash the server knows what was in flight: a clip's index (from 0), or
	 * -1 for decoding the first block, -2 for the second, … */
	| { readonly type: 'running'; readonly request: number; readonly step: number }
	/** A block has been decoded and split. The end of a clip is reported by its event. */
	| { readonly type: 'step-finished'; readonly request: number; readonly step: number }
	/** `rssBytes`: resident memory of the whole process at that time. */
	| {
			readonly type: 'event';
			readonly request: number;
			readonly event: PipelineEvent;
			readonly rssBytes: number;
	  }
	| ({ readonly type: 'live'; readonly stream: number; readonly rssBytes: number } & LiveEventOnWire)
	/** A line of an engine's log. */
	| { readonly type: 'log'; readonly level: 'warn' | 'error'; readonly line: string }
	| { readonly type: 'pong'; readonly work: WorkReport }
	/** Sent for the metrics, a few times a second while the scheduler is active. */
	| { readonly type: 'report'; readonly report: RunnerReport }
	| { readonly type: 'finished'; readonly request: number; readonly rssBytes: number }
	| { readonly type: 'failed'; readonly request: number; readonly error: WireError };
