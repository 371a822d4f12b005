/** A recording on its way through the processes of a model. */

import type { PipelineEvent } from '../speech/events.js';
import type { TranscribeOptions } from '../speech/options.js';
import type { Recording } from '../speech/recording.js';
import type { EventQueue } from './event-queue.js';
import type { RunnerProcess } from './process.js';

/** The process that runs a request. `number` is new for each assignment, so late answers to an earlier one are
 * ignored. */
export interface Assignment {
	readonly process: RunnerProcess;
	readonly number: number;
}

export interface Request {
	readonly recording: Recording;
	readonly options: TranscribeOptions;
	readonly events: EventQueue<PipelineEvent>;
	/** Steps that the process is running for it: clips (from 0), and blocks being decoded (below 0). */
	readonly running: Set<number>;
	/** `started` has been delivered; a later assignment must not repeat it. */
	started: boolean;
	/** Number of clips whose events have been delivered, in this call or before. */
	delivered: number;
	/** undefined while it waits. */
	assignment: Assignment | undefined;
}
