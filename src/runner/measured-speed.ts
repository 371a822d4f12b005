/** Measures a model's speed on this machine, across all its processes, to derive how long a step may take. */

import type { WorkReport } from './protocol.js';

/** Clips needed before the measured speed is trusted: the first ones may be short, or slow. */
const enoughClips = 10;

/** A 30 s clip that is decoded again at every temperature takes about ten times as long as usual. */
const slack = 20;
const maxClipSeconds = 30;

/** Lower bound, however fast the machine was: it may be busy with something else now. */
const minTimeoutMs = 10 * 60_000;
/** Limit until the speed is known, and for blocks: enough for a large model on a small computer, or a slow disk. */
const maxTimeoutMs = 2 * 60 * 60_000;

export class MeasuredSpeed {
	#clips = 0;
	#slowestMsPerSecond = 0;

	update({ clips, slowestMsPerSecond }: WorkReport): void {
		this.#clips = Math.max(this.#clips, clips);
		this.#slowestMsPerSecond = Math.max(this.#slowestMsPerSecond, slowestMsPerSecond);
	}

	/** Time-out of a step, ms: after it the step counts as hung. `step`: a clip from 0, a block below 0. */
	timeoutMs(step: number): number {
		if (step < 0 || this.#clips < enoughClips) return maxTimeoutMs;
		return Math.max(minTimeoutMs, slack * this.#slowestMsPerSecond * maxClipSeconds);
	}
}
