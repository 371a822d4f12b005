/** Lets the user stop a command before its work is done. */

import { stopSignals } from '../../core/signals.js';

/** Runs `work` to its end, or until Ctrl-C or a termination signal aborts it; the exit code is then 130. */
export async function interruptible(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
	const stop = new AbortController();
	const interrupt = () => stop.abort();
	for (const signal of stopSignals()) process.once(signal, interrupt);
	try {
		await work(stop.signal);
	} catch (thrown) {
		if (!stop.signal.aborted) throw thrown;
	} finally {
		for (const signal of stopSignals()) process.removeListener(signal, interrupt);
	}
	if (stop.signal.aborted) process.exitCode = 130;
}
