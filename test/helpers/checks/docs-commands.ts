/** Whether a command that the docs show exists: `earshot` and its flags, npm scripts, scripts of the checkout. */

import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { readPage, root } from './docs.js';

interface Command {
	/** Flag → whether it takes a value. */
	readonly flags: ReadonlyMap<string, boolean>;
	readonly least: number;
	readonly most: number;
	readonly formats: readonly string[];
}

const everywhere = [
	['--help', false],
	['-h', false],
] as const;

/** From docs/reference/cli.md, which another test compares with `earshot --help`. */
function readCommands(): ReadonlyMap<string, Command> {
	const { blocks } = readPage('docs/reference/cli.md');
	return new Map(
		blocks.map(({ text }) => {
			const [, name = '', usage = ''] = /^Usage: earshot ([\w-]+)\S* \[options\](.*)$/m.exec(text) ?? [];
			const flags = [...text.matchAll(/^ {2}((?:-\w, )?--[\w-]+)( <[^>]+>)?/gm)].flatMap(
				([, names = '', value]) => names.split(', ').map((flag) => [flag, value !== undefined] as const),
			);
			const choices = /choices: ([^)]*)\)/.exec(text.replaceAll(/\s+/g, ' '))?.[1] ?? '';
			return [
				name,
				{
					flags: new Map([...flags, ...everywhere]),
					least: /<[^>]+>/.test(usage) ? 1 : 0,
					most: usage.includes('...') ? Infinity : usage.trim() === '' ? 0 : 1,
					formats: [...choices.matchAll(/"(\w+)"/g)].map(([, choice = '']) => choice),
				},
			];
		}),
	);
}

const commands = readCommands();

/** Every flag of every command. */
export const earshotFlags: ReadonlySet<string> = new Set(
	[...commands.values()].flatMap(({ flags }) => [...flags.keys()]),
);

/** What is wrong with `earshot WORDS`; '' = nothing. */
export function earshotMistake(words: readonly string[]): string {
	const [name = '', ...rest] = words;
	if (name === '--help' || name === '--version') return '';
	const command = commands.get(name);
	if (command === undefined) return `there is no \`earshot ${name}\``;
	const { flags } = command;
	let given = 0;
	for (let at = 0; at < rest.length; at++) {
		const word = rest[at] ?? '';
		if (!word.startsWith('-')) given++;
		else if (!flags.has(word)) return `\`earshot ${name}\` has no ${word}`;
		else if (flags.get(word) === true) {
			const value = rest[++at];
			if (value === undefined) return `\`earshot ${name} ${word}\` lacks a value`;
			if (['--format', '-f'].includes(word) && !command.formats.includes(value))
				return `\`earshot ${name} ${word}\` does not take ${value}`;
		}
	}
	return given < command.least || given > command.most
		? `\`earshot ${name}\` does not take ${given} arguments`
		: '';
}

const { scripts } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
	scripts: Readonly<Record<string, string>>;
};

/** Flags of the scripts that prose names without their command, as the heads of the scripts list them. */
export const scriptFlags: ReadonlySet<string> = new Set(
	['test/bench/bench.mjs', 'test/accuracy/accuracy.mjs', 'test/soak/soak.mjs', 'scripts/docs.mjs'].flatMap(
		(file) => readFileSync(path.join(root, file), 'utf8').match(/(?<=\s)--[a-z][\w-]*/g) ?? [],
	),
);

function npmMistake([verb = '', ...rest]: readonly string[]): string {
	if (['install', 'i'].includes(verb)) return '';
	const script = verb === 'run' ? (rest[0] ?? '') : verb;
	if (!Object.hasOwn(scripts, script)) return `there is no \`npm run ${script}\``;
	const own = rest.includes('--') ? rest.slice(rest.indexOf('--') + 1) : [];
	if (script === 'earshot') return own.length > 0 ? earshotMistake(own) : '';
	// CMake's options pass through.
	const file = /node (\S+\.mjs)[^&]*$/.exec(scripts[script] ?? '')?.[1];
	return file === undefined ? '' : nodeMistake([file, ...own.filter((word) => !/^--C[A-Z]/.test(word))]);
}

/** Checks that a script of the checkout exists and accepts the given flags. */
function nodeMistake([file = '', ...rest]: readonly string[]): string {
	if (!existsSync(path.join(root, file))) return `there is no ${file}`;
	const text =
		readFileSync(path.join(root, file), 'utf8') +
		readFileSync(path.join(root, 'scripts/build/target.mjs'), 'utf8');
	const unknown = rest.find((word) => word.startsWith('--') && !text.includes(word));
	return unknown === undefined ? '' : `${file} does not know ${unknown}`;
}

/** Third-party programs, which no test here runs. */
const others = new Set([
	'apt-get',
	'cd',
	'cp',
	'docker',
	'ffmpeg',
	'git',
	'helm',
	'kubectl',
	'launchctl',
	'openssl',
	'systemctl',
]);

/** What is wrong with a command of the docs; '' = nothing. `curl` is run by a test. */
export function commandMistake(words: readonly string[]): string {
	const [program = '', ...rest] = words[0] === 'sudo' ? words.slice(1) : words;
	if (program === 'earshot') return earshotMistake(rest);
	if (program === 'npm') return npmMistake(rest);
	if (program === 'npx') return rest[0] === 'vitest' ? '' : `npx ${rest[0]} is not of this checkout`;
	if (program === 'node') return nodeMistake(rest);
	if (program === 'curl' || others.has(program)) return '';
	return `${program} is not a known program`;
}
