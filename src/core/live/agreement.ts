/** LocalAgreement: schedules repeated transcription of a turn while it grows. Pure. */

/** New audio required before the next transcription, by the number of transcriptions so far: each one costs more. */
const stepSeconds = [1, 1, 2, 2, 4];

/** Longer turns are no longer transcribed as a whole: their partial text comes from their finished clips. */
export const maxPartialSeconds = 25;

export class PartialSchedule {
	#count = 0;
	#lastSeconds = 0;

	/** Whether a turn of this length may be transcribed now. */
	isDue(seconds: number): boolean {
		const step = stepSeconds[Math.min(this.#count, stepSeconds.length - 1)] ?? 1;
		return seconds <= maxPartialSeconds && seconds - this.#lastSeconds >= step;
	}

	/** Records that a transcription of the turn at this length has begun. */
	began(seconds: number): void {
		this.#count++;
		this.#lastSeconds = seconds;
	}
}
