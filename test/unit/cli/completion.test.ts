/** The scripts that complete the command's words: bash runs its own, zsh and fish are run where they are installed. */

import { execFileSync, spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { type CompletedCommand, completionScript, shells } from '../../../src/cli/ui/completion.js';
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

/** What bash offers for the last word, in a folder with `a talk.wav`. */
function offered(...words: string[]): string[] {
	using scratch = new Scratch();
	scratch.file('a talk.wav', '');
	scratch.file(
		'earshot',
		'#!/bin/sh\n[ "$1 $2" = "list --quiet" ] && echo here-a && echo here-b || echo there',
	);
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
