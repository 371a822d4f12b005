/**
 * Which recordings are tried alone after the process of a model has died. Every recording with a clip (or block) in
 * work at that moment becomes a suspect. One suspect at a time is run, until that clip is through; a clip that is part
 * of a second death is given up. So one bad recording fails alone and no other is lost.
 */

/** Deaths that a clip may be part of before it is given up. */
const maxDeaths = 2;

/** `T`: a recording. Pure bookkeeping: runs nothing. */
export class Quarantine<T extends object> {
	/** In the order in which they are tried. */
	#suspects: T[] = [];
	/** Clip (from 0) or block (below 0) → deaths it was part of. */
	readonly #deaths = new Map<T, Map<number, number>>();

	/** The one that runs alone; undefined = everything may run. */
	get current(): T | undefined {
		return this.#suspects[0];
	}

	/** A process died while it worked on `steps` of the recording. True = one of them has now been part of too many. */
	noteDeath(recording: T, steps: Iterable<number>): boolean {
		const deaths = this.#deaths.get(recording) ?? new Map<number, number>();
		this.#deaths.set(recording, deaths);
		for (const step of steps) deaths.set(step, (deaths.get(step) ?? 0) + 1);
		if (Math.max(0, ...deaths.values()) >= maxDeaths) return true;
		if (deaths.size > 0 && !this.#suspects.includes(recording)) this.#suspects.push(recording);
		return false;
	}

	/** A clip or block is through. True = the recording is released: nothing that it was suspected for is left. */
	notePassed(recording: T, step: number): boolean {
		const deaths = this.#deaths.get(recording);
		deaths?.delete(step);
		return (deaths?.size ?? 0) === 0 && this.release(recording);
	}

	/** True where it was a suspect. */
	release(recording: T): boolean {
		this.#deaths.delete(recording);
		const others = this.#suspects.filter((suspect) => suspect !== recording);
		const was = others.length < this.#suspects.length;
		this.#suspects = others;
		return was;
	}
}
