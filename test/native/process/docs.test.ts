/** What the docs show of the library and of the bundled model, run as it stands there. */

import { execFile, spawn, spawnSync } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { readPages, root, shellCommands } from '../../helpers/checks/docs.js';
import { Scratch } from '../../helpers/net/real-server.js';

const run = promisify(execFile);
const has = (program: string): boolean => spawnSync(program, ['--version']).status === 0;
const blocks = readPages().flatMap((page) => page.blocks);
const demo = path.join(root, 'fixtures', 'demo-digits', 'digits-count.wav');
const scratch = new Scratch();
afterAll(() => scratch[Symbol.dispose]());
/** A machine on which nothing was fetched. */
const options = { cwd: root, env: { PATH: process.env.PATH, HOME: scratch.path } };

describe('the library as the docs show it', () => {
	const snippets = blocks.filter(
		({ language, text }) => language === 'js' && text.includes("from 'earshot'"),
	);

	it.each(snippets.map(({ page, text }) => [page, text]))('transcribes: %s', async (_, text) => {
		const script = text.replaceAll('whisper-tiny.en', 'demo-digits').replaceAll('talk.mp3', demo);
		const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script], options);
		expect(stdout).toMatch(/one two three/);
	});
});

describe('the first answer of a checkout without a network', () => {
	const [command = []] = blocks
		.flatMap(({ text }) => shellCommands(text))
		.filter((words) => words.includes('model=demo-digits'));

	it.runIf(has('curl'))('is what curl prints', async () => {
		const server = spawn(process.execPath, ['dist/cli/main.js', 'serve', '--port', '0'], {
			...options,
			stdio: ['ignore', 'ignore', 'pipe'],
		});
		onTestFinished(() => void server.kill());
		const url = await new Promise<string>((resolve) => {
			let said = '';
			server.stderr.setEncoding('utf8').on('data', (text: string) => {
				said += text;
				const found = /listens on (http:\S+)\/v1/.exec(said)?.[1];
				if (found !== undefined) resolve(found);
			});
		});
		const [program = '', ...args] = command.map((word) => word.replace('http://127.0.0.1:8080', url));
		const { stdout } = await run(program, ['-sS', ...args], options);
		expect(JSON.parse(stdout)).toMatchObject({ text: expect.stringMatching(/\w+ \w+/) });
	});
});
