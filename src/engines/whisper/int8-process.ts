/** Entry point of the process that converts one ggml file to 8-bit weights and reports the outcome. */

import { codeOf } from '../../core/errors.js';
import type { Int8Outcome } from './int8-store.js';
import { writeInt8 } from './int8-weights.js';

const [source = '', target = ''] = process.argv.slice(2);

// The parent has ended, so nothing needs the weights.
const orphaned = new AbortController();
process.on('disconnect', () => orphaned.abort());

const answer = await writeInt8(source, target, orphaned.signal).then(
	(): Int8Outcome => ({ ok: true }),
	(thrown: unknown): Int8Outcome => ({
		ok: false,
		code: codeOf(thrown),
		message: thrown instanceof Error ? thrown.message : String(thrown),
	}),
);
if (process.connected) process.send?.(answer, () => process.disconnect());
