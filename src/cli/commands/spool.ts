/** Copies standard input and pipes, which can be read only once, to a file, since another process decodes it. */

import { constants, createReadStream, createWriteStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import path from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as after } from 'node:timers/promises';
import { createTempFolder } from '../../core/disk/temp-folder.js';
import { asEarshotError, codeOf, EarshotError, expected, reasonOf } from '../../core/errors.js';

/** Limit for sources without end, which would fill the disk. Hours of uncompressed stereo are smaller. */
const maxBytes = 4 * 2 ** 30;
const pollMs = 20;

/** Runs `work` with the path of a regular file: `file` itself, or a copy that is removed afterwards. `file`: '' =
 * standard input. */
export async function withReadable<T>(
	file: string,
	signal: AbortSignal,
	work: (path: string) => Promise<T>,
): Promise<T> {
	if (file !== '' && !(await isPipe(file))) return await work(file);
	const folder = await createTempFolder();
	try {
		const copy = path.join(folder.path, 'recording');
		try {
			await pipeline(sourceOf(file, signal), bounded(), createWriteStream(copy, { mode: 0o600 }), { signal });
		} catch (thrown) {
			if (signal.aborted)
				throw new EarshotError('cancelled', 'the recording was cancelled', { cause: thrown });
			if (thrown instanceof EarshotError) throw thrown;
			const failure = asEarshotError(thrown);
			if (failure.code !== 'internal') throw failure;
			throw new EarshotError('audio_unsupported', `the recording cannot be read: ${reasonOf(thrown)}`, {
				cause: thrown,
			});
		}
		return await work(copy);
	} finally {
		await folder.remove();
	}
}

async function isPipe(file: string): Promise<boolean> {
	const info = await stat(file).catch(() => undefined);
	return info?.isFIFO() === true || info?.isSocket() === true;
}

function sourceOf(file: string, signal: AbortSignal): AsyncIterable<Uint8Array> {
	if (file === '') {
		if (process.stdin.isTTY) throw expected('file', 'a recording on standard input', 'a terminal');
		return process.stdin;
	}
	// A shell's `<(…)` is a file descriptor that is already open.
	const inherited = /^\/(?:dev|proc\/self)\/fd\/(\d+)$/.exec(file)?.[1];
	return inherited === undefined ? pipeAt(file, signal) : createReadStream('', { fd: Number(inherited) });
}

/** Opens the pipe without waiting for a writer, since a process cannot exit during that wait. */
async function* pipeAt(file: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
	const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
	try {
		const buffer = Buffer.alloc(1 << 16);
		for (let received = 0; ; ) {
			const got = await handle.read(buffer, 0, buffer.length, null).catch((thrown: unknown) => {
				if (codeOf(thrown) === 'EAGAIN') return undefined;
				throw thrown;
			});
			if (got === undefined || (got.bytesRead === 0 && received === 0)) {
				await after(pollMs, undefined, { signal });
				continue;
			}
			if (got.bytesRead === 0) return;
			received += got.bytesRead;
			yield Buffer.from(buffer.subarray(0, got.bytesRead));
		}
	} finally {
		await handle.close();
	}
}

function bounded(): Transform {
	let bytes = 0;
	return new Transform({
		transform(chunk: Buffer, _, done) {
			bytes += chunk.length;
			if (bytes <= maxBytes) done(null, chunk);
			else
				done(new EarshotError('upload_too_large', `the recording is larger than ${maxBytes / 2 ** 30} GiB`));
		},
	});
}
