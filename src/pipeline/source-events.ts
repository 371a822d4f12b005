/** The first and the last event of a recording, made from the source of its clips. */

import type { ClipSource } from '../audio/channel-chunker.js';
import type { PipelineEvent } from '../core/speech/events.js';
import { toMilliseconds } from '../core/speech/seconds.js';
import type { Stopwatch } from '../core/speech/timing.js';

type EventOf<T extends PipelineEvent['type']> = Extract<PipelineEvent, { readonly type: T }>;

/** Call it once the first block was decoded. */
export function startedEvent({ duration }: ClipSource): EventOf<'started'> {
	return { type: 'started', duration: duration === null ? null : toMilliseconds(duration) };
}

/** Call it once the source has ended. */
export function endedEvent(
	{ decodedSeconds, truncated }: ClipSource,
	stopwatch: Stopwatch,
): EventOf<'ended'> {
	return {
		type: 'ended',
		duration: toMilliseconds(decodedSeconds),
		...(truncated && { truncated }),
		timing: stopwatch.read(),
	};
}
