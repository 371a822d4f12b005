/** Waiting that a caller can give up. */

import { EarshotError } from './errors.js';

/**
 * The outcome of `work`, or a rejection with `cancelled` as soon as `signal` fires. The work itself goes on, for others
 * who wait for it or until it finds out. `what`: what was cancelled, as the message has it.
 */
export function whileWanted<T>(work: Promise<T>, signal: AbortSignal, what: string): Promise<T> {
	return new Promise((resolve, reject) => {
		const abort = () => reject(new EarshotError('cancelled', `the ${what} was cancelled`));
		if (signal.aborted) abort();
		signal.addEventListener('abort', abort, { once: true });
		work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
	});
}
