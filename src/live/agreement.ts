/** LocalAgreement: when a growing turn is transcribed again, and what two transcriptions agree on. Pure. */

/** Audio that comes before a turn is transcribed again, by how often it was: each costs more than the one before. */
const stepSeconds = [1, 1, 2, 2, 4];

/** Turns longer than this are not transcribed as a whole any more: their text comes with their clips. */
export const maxPartialSeconds = 25;

export class PartialSchedule {
	#count = 0;
	#lastSeconds = 0;

	/** Whether a turn of this length may be transcribed now. */
	isDue(seconds: number): boolean {
		const step = stepSeconds[Math.min(this.#count, stepSeconds.length - 1)] ?? 1;
		return seconds <= maxPartialSeconds && seconds - this.#lastSeconds >= step;
	}

	/** It is being transcribed. */
	began(seconds: number): void {
		this.#count++;
		this.#lastSeconds = seconds;
	}
}
