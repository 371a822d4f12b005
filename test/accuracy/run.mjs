// @ts-check
/**
 * How right the answers are.
 *
 *   npm run accuracy                  of words: accuracy.mjs, with its flags (--all, --only, --peers, --rounds, --json, …)
 *   npm run accuracy -- live          of words in live sessions, by format: live/live.mjs
 *   npm run accuracy -- diarization   of who speaks when: diarization/diarization.mjs (--words, --data, …)
 */

import { argv } from 'node:process';

if (argv[2] === 'diarization') {
	argv.splice(2, 1);
	await import('./diarization/diarization.mjs');
} else if (argv[2] === 'live') {
	argv.splice(2, 1);
	await import('./live/live.mjs');
} else await import('./accuracy.mjs');
