/** A process that the system does not start. */

import { EventEmitter } from 'node:events';
import { expect, test, vi } from 'vitest';
import { Runner } from '../../../src/runner/runner.js';
import { FakeClock } from '../../helpers/fakes.js';
import { testSettings } from '../../helpers/settings.js';

const failing = vi.hoisted(() => ({ code: '' }));

vi.mock('node:child_process', async (original) => ({
	...(await original<object>()),
	fork() {
		const child = new EventEmitter();
		const { code } = failing;
		setImmediate(() => child.emit('error', Object.assign(new Error(`spawn ${code}`), { code })));
		return child;
	},
}));

test.each([
	['EMFILE', 'too_many_open_files'],
	['ENOENT', 'model_load_failed'],
])('because of %s is %s', async (code, expected) => {
	failing.code = code;
	const runner = new Runner({
		entry: {
			id: 'fake',
			type: 'whisper_cpp',
			aliases: [],
			files: {},
			options: {},
			languages: null,
			ownedBy: 'test',
			demo: false,
		},
		settings: testSettings(),
		script: '',
		env: {},
		clock: new FakeClock(),
		maxRssBytes: 0,
		hangTimeoutMs: 0,
	});
	await expect(runner.start()).rejects.toMatchObject({ code: expected });
});
