// @ts-check
/**
 * How right the answers are.
 *
 *   npm run accuracy                  of words: accuracy.mjs, with its flags (--all, --only, --peers, --rounds, --json, …)
 *   npm run accuracy -- diarization   of who speaks when: diarization/diarization.mjs (--words, --data, …)
 */

import { argv } from 'node:process';

if (argv[2] === 'diarization') {
	argv.splice(2, 1);
	await import('./diarization/diarization.mjs');
} else await import('./accuracy.mjs');
