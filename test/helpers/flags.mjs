/** The flags of a program that people start by hand: the comment that its file begins with is its help. */

import { readFileSync } from 'node:fs';
import { argv, exit, stderr, stdout } from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

/** @param {string} source of a program @returns {string} its first comment, without what marks it as one */
export function usageOf(source) {
	const block = /^\/\*\*\n([\s\S]*?)\n? \*\/\n/.exec(source);
	const comment = block?.[1] ?? /^(\/\/.*\n)+/.exec(source)?.[0] ?? '';
	return `${comment
		.trimEnd()
		.split('\n')
		.map((line) => line.replace(/^(\/\/| \*) ?/, ''))
		.join('\n')}\n`;
}

/**
 * As `parseArgs`. Prints the help and ends with 0 for `--help`; says what is wrong and ends with 2 for flags that it
 * does not know or that lack their value.
 *
 * @template {import('node:util').ParseArgsConfig} T
 * @param {string} url of the program, `import.meta.url`
 * @param {T} config
 * @returns {ReturnType<typeof parseArgs<T>>}
 */
export function flagsOf(url, config) {
	const args = argv.slice(2);
	const end = args.indexOf('--');
	if (args.slice(0, end < 0 ? args.length : end).some((arg) => arg === '--help' || arg === '-h')) {
		stdout.write(usageOf(readFileSync(fileURLToPath(url), 'utf8')));
		return exit(0);
	}
	try {
		return parseArgs({ ...config, args });
	} catch (thrown) {
		refuse(thrown instanceof Error ? thrown.message : String(thrown));
	}
	return exit(2);
}

/** @param {string} why @returns {never} */
export function refuse(why) {
	stderr.write(`${why}\n(for help: --help)\n`);
	return exit(2);
}

/**
 * @param {string} flag
 * @param {string} given
 * @param {number} least
 * @returns {number}
 */
export function wholeFrom(flag, given, least) {
	const number = Number(given);
	if (/^\d+$/.test(given) && number >= least) return number;
	return refuse(`Expected \`--${flag}\` to be a whole number from ${least}, got \`${given}\``);
}
