/** Worker thread that unpacks one archive and posts the result. */

import { parentPort, workerData } from 'node:worker_threads';
import { codeOf } from '../../core/errors.js';
import type { Unpacked } from './archive.js';
import { BadArchive, type UnpackLimits, unpackBlocking } from './unpack.js';

const { archive, into, limits } = workerData as { archive: string; into: string; limits: UnpackLimits };

const answer = await unpackBlocking(archive, into, limits).then(
	(): Unpacked => ({ ok: true }),
	(thrown: unknown): Unpacked => ({
		ok: false,
		bad: thrown instanceof BadArchive,
		code: codeOf(thrown),
		message: thrown instanceof Error ? thrown.message : String(thrown),
	}),
);
parentPort?.postMessage(answer);
