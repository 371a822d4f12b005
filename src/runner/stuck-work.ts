/**
 * Detects a hung thread in a process that still answers heartbeats, caused by an endless loop or a driver call that
 * never returns. As in heartbeat.ts, time is counted in pings: here, in answered ones.
 */

import type { MeasuredSpeed } from './measured-speed.js';
import type { WorkReport } from './protocol.js';

export class StuckWork {
	readonly #speed: MeasuredSpeed;
	#number: number | undefined;
	#openMs = 0;

	constructor(speed: MeasuredSpeed) {
		this.#speed = speed;
	}

	/** Evaluates the answer to a ping, `everyMs` after the last one. Returns what hangs, in words; undefined = none. */
	note(report: WorkReport, everyMs: number): string | undefined {
		this.#speed.update(report);
		const { oldest } = report;
		this.#openMs = oldest !== undefined && oldest.number === this.#number ? this.#openMs + everyMs : 0;
		this.#number = oldest?.number;
		if (oldest === undefined || this.#openMs < this.#speed.timeoutMs(oldest.step)) return undefined;
		const what = oldest.step < 0 ? 'decoding a part of a recording' : 'a clip';
		return `${what} did not end in ${Math.round(this.#openMs / 1000)} s`;
	}
}
