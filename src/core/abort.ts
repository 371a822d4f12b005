/** Cancelling: of a recording, and of waiting for shared work. */

import { EarshotError } from './errors.js';

/** Throws `cancelled` once the signal of a recording has fired. */
export function throwIfCancelled(signal: AbortSignal): void {
	if (signal.aborted) throw new EarshotError('cancelled', 'the recording was cancelled');
}

/**
 * The outcome of `work`, or a rejection with `cancelled` as soon as `signal` fires. The work itself continues, for
 * other callers or until it checks its own signal. `what`: the cancelled thing, as named in the message.
 */
export function abortable<T>(work: Promise<T>, signal: AbortSignal, what: string): Promise<T> {
	return new Promise((resolve, reject) => {
		const abort = () => reject(new EarshotError('cancelled', `the ${what} was cancelled`));
		if (signal.aborted) abort();
		signal.addEventListener('abort', abort, { once: true });
		const settled = () => signal.removeEventListener('abort', abort);
		work.then(
			(value) => {
				settled();
				resolve(value);
			},
			(thrown: unknown) => {
				settled();
				reject(thrown);
			},
		);
	});
}
