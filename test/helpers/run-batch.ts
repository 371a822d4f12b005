/** What an engine hears when nobody goes away. */

import type { Batch, Engine } from '../../src/engines/engine.js';
import type { ClipResult } from '../../src/speech/clip.js';

/** Every clip of the batch, all under one signal. */
export function heardBy(
	engine: Engine,
	batch: Batch,
	signal = new AbortController().signal,
): Promise<ClipResult[]> {
	const signals = batch.clips.map(() => signal);
	return Promise.all(engine.run(batch, signals));
}
