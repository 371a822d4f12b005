/** What the library does with values that its types forbid: in a process of its own. */

import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { audioPath } from '../../helpers/fixtures.js';
import { modelsYaml, Scratch } from '../../helpers/net/real-server.js';
import { runNode } from '../addon.js';

const scratch = new Scratch();
afterAll(() => scratch[Symbol.dispose]());
const script = fileURLToPath(new URL('fuzz-library.mjs', import.meta.url));

test.each([1, 2])(
	'the library fails with its own errors and never ends the process, whatever it is called with (seed %i)',
	async (seed) => {
		const config = scratch.file('models.yaml', modelsYaml('zipformer_ctc'));
		const { code, signal, stdout, stderr } = await runNode([
			script,
			config,
			audioPath('tones-abc'),
			String(seed),
			'1',
		]);
		const lastCall = stderr.trim().split('\n').at(-1);
		expect({ code, signal, stdout, lastCall }).toEqual({ code: 0, signal: null, stdout: 'done', lastCall });
	},
	120_000,
);
