/** Runs a batch to its end. */

import type { ClipResult } from '../../src/core/speech/clip.js';
import type { Batch, Engine } from '../../src/engines/engine.js';

/** The results of all clips of the batch, which share one signal. */
export function runBatch(
	engine: Engine,
	batch: Batch,
	signal = new AbortController().signal,
): Promise<ClipResult[]> {
	const signals = batch.clips.map(() => signal);
	return Promise.all(engine.run(batch, signals));
}
