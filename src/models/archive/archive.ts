/** Unpacks archives in a worker thread, since decoding would block every request for seconds. */

import { rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { diskFailure } from '../../core/disk/disk.js';
import { EarshotError } from '../../core/errors.js';
import { BadArchive, defaultLimits, type UnpackLimits } from './unpack.js';

/** The message that the worker thread posts. */
export type Unpacked =
	| { readonly ok: true }
	| { readonly ok: false; readonly bad: boolean; readonly code: string; readonly message: string };

/** The compiled script, also when this file runs from src/. */
const script = fileURLToPath(new URL('../../../dist/models/archive/archive-thread.js', import.meta.url));

/** Unpacks into the folder `into`, which is removed after a failure. Throws `download_corrupt`, `disk_full`, `cancelled`. */
export async function unpack(
	archive: string,
	into: string,
	signal: AbortSignal,
	limits: UnpackLimits = defaultLimits(archive),
): Promise<void> {
	try {
		const answer = await inThread({ archive, into, limits }, signal);
		if (answer.ok) return;
		const cause = answer.bad
			? new BadArchive(answer.message)
			: Object.assign(new Error(answer.message), { code: answer.code });
		throw archiveFailure(cause, into);
	} catch (thrown) {
		await rm(into, { recursive: true, force: true });
		throw thrown;
	}
}

export function archiveFailure(thrown: unknown, into: string): EarshotError {
	if (thrown instanceof BadArchive)
		return new EarshotError(
			'download_corrupt',
			`the archive is refused: ${thrown.message}. Nothing of it is kept; pull again, and if this repeats, the source or the mirror is at fault`,
			{ cause: thrown },
		);
	const why = thrown instanceof Error ? thrown.message : String(thrown);
	return (
		diskFailure(thrown, into) ??
		new EarshotError('internal', `the archive could not be unpacked: ${why}`, { cause: thrown })
	);
}

/** Settles when the thread has ended: until then, files of a refused archive may still be written. */
async function inThread(workerData: object, signal: AbortSignal): Promise<Unpacked> {
	const worker = new Worker(script, {
		workerData,
		execArgv: [],
		resourceLimits: { maxOldGenerationSizeMb: 512 },
	});
	let answer: Unpacked | undefined;
	let failure: Error | undefined;
	worker.once('message', (message: Unpacked) => {
		answer = message;
		void worker.terminate();
	});
	worker.once('error', (thrown: Error) => {
		failure = thrown;
	});
	const cancel = (): void => void worker.terminate();
	signal.addEventListener('abort', cancel, { once: true });
	if (signal.aborted) cancel();
	await new Promise<void>((resolve) => worker.once('exit', () => resolve()));
	signal.removeEventListener('abort', cancel);
	if (signal.aborted) throw new EarshotError('cancelled', 'the download was cancelled');
	if (failure !== undefined) throw failure;
	if (answer === undefined) throw new EarshotError('internal', 'the unpacking thread ended without a result');
	return answer;
}
