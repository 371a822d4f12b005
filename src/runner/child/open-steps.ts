/** Tracks the running steps of this process's threads, so that the server can detect a hung one. */

import type { WorkReport } from '../protocol.js';

interface OpenStep {
	readonly number: number;
	readonly request: number;
	readonly step: number;
	/** Seconds of audio. */
	readonly seconds: number;
	readonly startedMs: number;
}

export class OpenSteps {
	readonly #now: () => number;
	/** In the order of their start. */
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

	/** The step has ended. One without a result, such as a cancelled one, does not count towards the measured speed. */
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
