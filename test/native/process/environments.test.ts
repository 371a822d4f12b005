/** Every command where a container or a service starts it: no home, nothing to write to, no temporary folder. */

import { spawn } from 'node:child_process';
import { accessSync, chmodSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { root } from '../../helpers/fixtures.js';

const isRoot = process.getuid?.() === 0;
/** A user of whom the system knows nothing. */
const stranger = isRoot ? { uid: 54_321, gid: 54_321 } : {};

const scratch = mkdtempSync(path.join(tmpdir(), 'earshot-test-'));
chmodSync(scratch, 0o755);
const home = mkdtempSync(path.join(scratch, 'home-'));
chmodSync(home, 0o777);
const readOnly = mkdtempSync(path.join(scratch, 'read-only-'));
chmodSync(readOnly, 0o555);
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const environments: readonly (readonly [string, NodeJS.ProcessEnv])[] = [
	['a home that cannot be written', { HOME: readOnly }],
	['no folder for temporary files', { HOME: home, TMPDIR: '/nonexistent/tmp' }],
	['neither a home nor an entry in the list of users', {}],
	['an empty home', { HOME: '' }],
];

const recording = path.join(root, 'fixtures', 'demo-digits', 'digits-pause.wav');
const nowhere = ['--addr', '127.0.0.1:1'];

/** Arguments of the commands that need some. */
const given: Readonly<Record<string, readonly string[]>> = {
	serve: ['--port', '0', '--preload', 'none'],
	transcribe: [recording],
	show: ['demo-digits'],
	pull: ['nobody'],
	add: [recording],
	rm: ['nobody'],
	ps: nowhere,
	load: ['demo-digits', ...nowhere],
	unload: ['demo-digits', ...nowhere],
};

interface Outcome {
	readonly code: number | null;
	readonly output: string;
}

/** Ends a server once it listens. */
function earshot(env: NodeJS.ProcessEnv, ...args: string[]): Promise<Outcome> {
	const child = spawn(process.execPath, [path.join(root, 'dist', 'cli', 'main.js'), ...args], {
		stdio: ['ignore', 'pipe', 'pipe'],
		cwd: '/',
		env: { PATH: process.env.PATH, ...env },
		...stranger,
	});
	let output = '';
	for (const stream of [child.stdout, child.stderr])
		stream.setEncoding('utf8').on('data', (text: string) => {
			output += text;
			if (/listens on/.test(text)) child.kill('SIGTERM');
		});
	return new Promise((resolve) => child.on('close', (code) => resolve({ code, output })));
}

const { output: help } = await earshot({ HOME: home }, '--help');
const commands = [...help.matchAll(/^ {2}([a-z]+)(?:\|\w+)? /gm)].flatMap(([, name = '']) =>
	name === 'help' ? [] : [name],
);

function isReadable(folder: string): boolean {
	try {
		accessSync(folder, constants.R_OK);
		return true;
	} catch {
		return false;
	}
}

describe.runIf(process.platform !== 'win32' && isReadable(root))('every command', () => {
	test('is known', () => {
		expect(commands).toEqual(expect.arrayContaining(['doctor', 'list', ...Object.keys(given)]));
	});

	test.each(environments)(
		'with %s says what is wrong, if anything, in words',
		async (_, env) => {
			for (const command of commands) {
				const { code, output } = await earshot(env, command, ...(given[command] ?? []));
				expect([command, output]).toEqual([
					command,
					expect.not.stringMatching(/^\s+at .+:\d+:\d+|node:internal/m),
				]);
				expect([command, output]).toEqual([command, expect.not.stringContaining('Please report it')]);
				expect([command, output, [0, 1, 2].includes(code ?? -1)]).toEqual([command, output, true]);
				if (code !== 0) expect([command, output]).toEqual([command, expect.stringMatching(/\S/)]);
			}
		},
		120_000,
	);

	test.each(environments.filter(([, { TMPDIR }]) => TMPDIR === undefined))(
		'serves and transcribes with %s',
		async (_, env) => {
			expect(await earshot(env, 'serve', ...(given.serve ?? []))).toMatchObject({
				code: 0,
				output: expect.stringContaining('listens on'),
			});
			expect((await earshot(env, 'transcribe', recording)).code).toBe(0);
		},
		60_000,
	);

	test('without a folder for temporary files, serve says which variable to set', async () => {
		expect(await earshot({ HOME: home, TMPDIR: '/nonexistent/tmp' }, 'serve')).toEqual({
			code: 1,
			output: expect.stringMatching(/^earshot: Expected the folder for temporary files .*: set TMPDIR$/m),
		});
	});

	test('so does transcribe, where a recording comes through standard input', async () => {
		expect(await earshot({ HOME: home, TMPDIR: '/nonexistent/tmp' }, 'transcribe', '-')).toEqual({
			code: 1,
			output: expect.stringMatching(
				/^earshot: standard input: Expected the folder for temporary files .*: set TMPDIR$/m,
			),
		});
	});

	test('where the state folder cannot be written, serve says what needs a key then', async () => {
		const { output } = await earshot({ HOME: readOnly }, 'serve', ...(given.serve ?? []));
		if (isRoot) expect(output).toMatch(/the state folder cannot be written .* only with an API key/);
	});
});
