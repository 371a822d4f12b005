/** The process that makes the 8-bit weights of one ggml file and answers with how it went. */

import { codeOf } from '../../disk/disk.js';
import type { Made } from './int8-store.js';
import { writeInt8 } from './int8-weights.js';

const [source = '', target = ''] = process.argv.slice(2);

// Nobody is left to make them for.
const orphaned = new AbortController();
process.on('disconnect', () => orphaned.abort());

const answer = await writeInt8(source, target, orphaned.signal).then(
	(): Made => ({ ok: true }),
	(thrown: unknown): Made => ({
		ok: false,
		code: codeOf(thrown),
		message: thrown instanceof Error ? thrown.message : String(thrown),
	}),
);
if (process.connected) process.send?.(answer, () => process.disconnect());
