/**
 * Finds the recording that crashes a model's process. Every recording with a clip (or block) running at a crash becomes
 * a suspect. Suspects run alone, one at a time, until the suspected clip has finished; a recording whose clip was
 * running at a second crash fails. Thus only the faulty recording fails, and no other is lost.
 */

/** Number of crashes during a clip after which its recording fails. */
const maxDeaths = 2;

/** `T`: a recording. Only does the bookkeeping; the caller runs the recordings. */
export class Quarantine<T extends object> {
	/** In the order in which they run alone. */
	#suspects: T[] = [];
	/** Clip (from 0) or block (below 0) → crashes during which it was running. */
	readonly #deaths = new Map<T, Map<number, number>>();

	/** The recording that must run alone; undefined = all may run. */
	get current(): T | undefined {
		return this.#suspects[0];
	}

	/** A process died while `steps` of the recording were running. True = one of them has reached `maxDeaths`. */
	noteDeath(recording: T, steps: Iterable<number>): boolean {
		const deaths = this.#deaths.get(recording) ?? new Map<number, number>();
		this.#deaths.set(recording, deaths);
		for (const step of steps) deaths.set(step, (deaths.get(step) ?? 0) + 1);
		if (Math.max(0, ...deaths.values()) >= maxDeaths) return true;
		if (deaths.size > 0 && !this.#suspects.includes(recording)) this.#suspects.push(recording);
		return false;
	}

	/** A clip or block has finished. True = the recording was a suspect and none of its suspected steps is left. */
	noteFinished(recording: T, step: number): boolean {
		const deaths = this.#deaths.get(recording);
		deaths?.delete(step);
		return (deaths?.size ?? 0) === 0 && this.release(recording);
	}

	/** Clears the recording. True = it was a suspect. */
	release(recording: T): boolean {
		this.#deaths.delete(recording);
		const others = this.#suspects.filter((suspect) => suspect !== recording);
		const was = others.length < this.#suspects.length;
		this.#suspects = others;
		return was;
	}
}
