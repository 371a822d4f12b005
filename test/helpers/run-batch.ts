/** Runs a batch to its end. */

import type { Batch, Engine } from '../../src/engines/engine.js';
import type { ClipResult } from '../../src/speech/clip.js';

/** The results of all clips of the batch, which share one signal. */
export function runBatch(
	engine: Engine,
	batch: Batch,
	signal = new AbortController().signal,
): Promise<ClipResult[]> {
	const signals = batch.clips.map(() => signal);
	return Promise.all(engine.run(batch, signals));
}
