/** How fast a model has been on this machine, in all of its processes, and so how long a step of it may take. */

import type { WorkReport } from './protocol.js';

/** Before, nothing is known of the machine: its first clips may be short ones, or take long. */
const enoughClips = 10;

/** A clip of half a minute whose decoding is tried again at every temperature takes some ten times as long as usual. */
const slack = 20;
const longestClipSeconds = 30;

/** However fast the machine was: it may be busy with something else now. */
const leastMs = 10 * 60_000;
/** For a large model on a small computer, and for a file that lies on a slow disk. */
const mostMs = 2 * 60 * 60_000;

export class Pace {
	#clips = 0;
	#slowestMsPerSecond = 0;

	learn({ clips, slowestMsPerSecond }: WorkReport): void {
		this.#clips = Math.max(this.#clips, clips);
		this.#slowestMsPerSecond = Math.max(this.#slowestMsPerSecond, slowestMsPerSecond);
	}

	/** The longest that a step may take before it counts as endless, ms. `step`: a clip from 0, a block below 0. */
	patienceMs(step: number): number {
		if (step < 0 || this.#clips < enoughClips) return mostMs;
		return Math.max(leastMs, slack * this.#slowestMsPerSecond * longestClipSeconds);
	}
}
