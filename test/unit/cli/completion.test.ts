/** The scripts that complete the command's words: bash runs its own, zsh and fish are run where they are installed. */

import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { type CompletedCommand, completionScript, shells } from '../../../src/cli/ui/completion.js';
import { root } from '../../helpers/fixtures.js';
import { Scratch } from '../../helpers/net/real-server.js';

const commands: readonly CompletedCommand[] = [
	{
		name: 'transcribe',
		help: "transcribe files: to the user's folder",
		words: { kind: 'files' },
		options: [
			{
				long: '--format',
				short: '-f',
				help: 'output [format]',
				value: { kind: 'list', values: ['text', 'srt', 'verbose_json'] },
			},
			{ long: '--output-dir', short: '-o', help: 'folder', value: { kind: 'folders' } },
			{ long: '--words', short: undefined, help: 'words', value: undefined },
		],
	},
	{ name: 'rm', help: 'remove models', words: { kind: 'models' }, options: [] },
	{ name: 'pull', help: 'download models', words: { kind: 'catalog' }, options: [] },
];

const has = (shell: string) => spawnSync(shell, ['-c', 'true']).status === 0;

const program = '#!/bin/sh\n[ "$1 $2" = "list --quiet" ] && echo here-a && echo here-b || echo there';

/** What the shell offers for the last word, in a folder with a recording. */
function offeredBy(shell: 'zsh' | 'fish', line: string): string[] {
	using scratch = new Scratch();
	scratch.file('talk.wav', '');
	chmodSync(scratch.file('earshot', program), 0o755);
	const script = scratch.file('completion', completionScript(shell, commands));
	const args =
		shell === 'zsh'
			? ['-f', path.join(root, 'test', 'helpers', 'checks', 'offered.zsh'), script, line]
			: ['--no-config', '-c', 'source $argv[1]; complete -C $argv[2]', script, line];
	const text = execFileSync(shell, args, {
		cwd: scratch.path,
		encoding: 'utf8',
		env: { PATH: `${scratch.path}:${process.env.PATH}`, HOME: scratch.path, TERM: 'dumb' },
		timeout: 20_000,
	});
	// fish writes the descriptions behind the words.
	return text.split('\n').flatMap((each) => each.split('\t')[0] || []);
}

/** The same for bash, whose function is called as bash calls it. */
function offered(...words: string[]): string[] {
	using scratch = new Scratch();
	scratch.file('a talk.wav', '');
	scratch.file('earshot', program);
	const script = `${completionScript('bash', commands)}
chmod +x earshot; PATH="$PWD:$PATH"
COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
_earshot; printf '%s\\n' "\${COMPREPLY[@]}"`;
	const text = execFileSync('bash', ['-c', script], { cwd: scratch.path, encoding: 'utf8' });
	return text.split('\n').filter((line) => line !== '');
}

describe.runIf(has('bash'))('bash', () => {
	it.each([
		[
			['earshot', ''],
			['transcribe', 'rm', 'pull', '--help', '--version'],
		],
		[['earshot', 'tr'], ['transcribe']],
		[
			['earshot', 'transcribe', '-'],
			['-f', '--format', '-o', '--output-dir', '--words', '--help'],
		],
		[['earshot', 'transcribe', '--format', 's'], ['srt']],
		[
			['earshot', 'transcribe', '-f', ''],
			['text', 'srt', 'verbose_json'],
		],
		[['earshot', 'transcribe', 'a'], ['a talk.wav']],
		[
			['earshot', 'rm', 'here-'],
			['here-a', 'here-b'],
		],
		[['earshot', 'pull', ''], ['there']],
		[['earshot', 'nothing', ''], []],
	])('after %j offers %j', (words, expected) => {
		expect(offered(...words)).toEqual(expected);
	});
});

describe.each(['zsh', 'fish'] as const)('%s', (shell) => {
	it.runIf(has(shell)).each([
		['earshot ', ['transcribe', 'rm', 'pull']],
		['earshot tr', ['transcribe']],
		['earshot transcribe --for', ['--format']],
		['earshot transcribe --format s', ['srt']],
		['earshot transcribe -f ', ['text', 'srt', 'verbose_json']],
		['earshot transcribe ta', ['talk.wav']],
		['earshot rm here-', ['here-a', 'here-b']],
		['earshot pull ', ['there']],
	])('offers after `%s` %j', (line, expected) => {
		expect(offeredBy(shell, line)).toEqual(expect.arrayContaining(expected));
	});

	it.runIf(has(shell))('offers neither what does not begin so, nor what belongs to another command', () => {
		expect(offeredBy(shell, 'earshot transcribe --format s')).toEqual(['srt']);
		expect(offeredBy(shell, 'earshot tr')).toEqual(['transcribe']);
		expect(offeredBy(shell, 'earshot rm --')).not.toContain('--format');
	});
});

describe.each(shells)('%s', (shell) => {
	it('has every command and option', () => {
		const script = completionScript(shell, commands);
		for (const word of ['transcribe', 'rm', 'pull', 'verbose_json', 'format', 'output-dir', 'words'])
			expect(script).toContain(word);
	});

	it.runIf(has(shell))('takes its script', () => {
		using scratch = new Scratch();
		const file = scratch.file('script', completionScript(shell, commands));
		const { status, stderr } = spawnSync(shell, ['-n', file], { encoding: 'utf8' });
		expect([status, stderr]).toEqual([0, '']);
	});
});

it('quotes for zsh and fish what their scripts would take for their own', () => {
	expect(completionScript('zsh', commands)).toContain(
		"'transcribe:transcribe files: to the user'\\''s folder'",
	);
	expect(completionScript('zsh', commands)).toContain(
		"'--format[output \\[format\\]]: :(text srt verbose_json)'",
	);
	expect(completionScript('fish', commands)).toContain("-d 'transcribe files: to the user\\'s folder'");
});
