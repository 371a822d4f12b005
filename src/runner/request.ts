/** A transcription request, as the runner assigns it to the processes of a model. */

import type { EventQueue } from '../core/event-queue.js';
import type { PipelineEvent } from '../core/speech/events.js';
import type { TranscribeOptions } from '../core/speech/options.js';
import type { Recording } from '../core/speech/recording.js';
import type { RunnerProcess } from './process.js';

/** The process that runs a request. `number` is unique per assignment, so that late answers are ignored. */
export interface Assignment {
	readonly process: RunnerProcess;
	readonly number: number;
}

export interface Request {
	readonly recording: Recording;
	readonly options: TranscribeOptions;
	readonly events: EventQueue<PipelineEvent>;
	/** Steps of the request that are running: clips (from 0), and blocks being decoded (below 0). */
	readonly running: Set<number>;
	/** Whether the event `started` has been delivered; a later assignment must not repeat it. */
	started: boolean;
	/** Number of clips whose events have been delivered, in this call or before. */
	delivered: number;
	/** undefined while the request waits. */
	assignment: Assignment | undefined;
}
