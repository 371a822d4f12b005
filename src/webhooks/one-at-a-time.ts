/** Runs asynchronous work one after another, in the order of the calls. */

export class OneAtATime {
	#last: Promise<unknown> = Promise.resolve();

	/** The outcome of `work`, which begins when all earlier work has settled. */
	run<T>(work: () => Promise<T>): Promise<T> {
		const outcome = this.#last.then(work);
		this.#last = outcome.catch(() => {
			// Its caller gets the error.
		});
		return outcome;
	}
}
