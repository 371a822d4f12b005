/** Decodes the next block of a recording and reports the step to the hooks. */

import type { ClipSource } from '../audio/channel-chunker.js';
import type { Clip } from '../core/speech/clip.js';
import type { Stopwatch } from '../core/speech/timing.js';
import type { PipelineHooks } from './parts.js';

export async function decodeBlock(
	source: ClipSource,
	stopwatch: Stopwatch,
	{ onRunning, onEnded, onStepFinished }: PipelineHooks,
): Promise<Clip[]> {
	const step = -1 - source.blocks;
	onRunning?.(step, 0);
	let clips: Clip[] | undefined;
	try {
		clips = await stopwatch.decoding(() => source.next());
	} finally {
		onEnded?.(step, clips !== undefined);
	}
	onStepFinished?.(step);
	return clips;
}
