/** What the threads of this process work on, so that the server sees where nothing comes to an end any more. */

import type { WorkReport } from '../protocol.js';

interface OpenStep {
	readonly number: number;
	readonly request: number;
	readonly step: number;
	/** Of audio. */
	readonly seconds: number;
	readonly startedMs: number;
}

export class OpenSteps {
	readonly #now: () => number;
	/** In the order in which they began. */
	readonly #open = new Map<string, OpenStep>();
	#begun = 0;
	#clips = 0;
	#slowestMsPerSecond = 0;

	constructor(now: () => number = () => performance.now()) {
		this.#now = now;
	}

	/** `step`: a clip from 0, a block below 0. */
	begin(request: number, step: number, seconds: number): void {
		const number = ++this.#begun;
		this.#open.set(`${request} ${step}`, { number, request, step, seconds, startedMs: this.#now() });
	}

	/** Nothing works on it any more. One without a result, such as a cancelled one, says nothing of how long a clip takes. */
	end(request: number, step: number, hasResult: boolean): void {
		const found = this.#open.get(`${request} ${step}`);
		this.#open.delete(`${request} ${step}`);
		if (found === undefined || step < 0 || !hasResult) return;
		this.#clips++;
		const took = (this.#now() - found.startedMs) / Math.max(1, found.seconds);
		this.#slowestMsPerSecond = Math.max(this.#slowestMsPerSecond, took);
	}

	get report(): WorkReport {
		const [oldest] = this.#open.values();
		return {
			clips: this.#clips,
			slowestMsPerSecond: this.#slowestMsPerSecond,
			...(oldest && { oldest: { number: oldest.number, request: oldest.request, step: oldest.step } }),
		};
	}
}
