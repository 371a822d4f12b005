/** What an engine hears when nobody goes away. */

import type { Batch, ClipResult, Engine } from '../../src/engines/engine.js';

/** Every clip of the batch, all under one signal. */
export function heardBy(
	engine: Engine,
	batch: Batch,
	signal = new AbortController().signal,
): Promise<ClipResult[]> {
	const signals = batch.clips.map(() => signal);
	return Promise.all(engine.run(batch, signals));
}
