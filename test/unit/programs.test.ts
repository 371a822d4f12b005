/** Programs that are no part of Earshot: scripts/, the benchmark, the accuracy suite. */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { root } from '../helpers/fixtures.js';
import { usageOf } from '../helpers/flags.mjs';

function programsIn(folder: string): string[] {
	return readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
		.filter((file) => file.endsWith('.mjs'))
		.map((file) => path.join(root, folder, file));
}

/** Paths below dist/, as a path in one or as the words of a `join` or `dist(…)`. */
function compiledIn(source: string): string[] {
	const whole = [...source.matchAll(/\bdist\/([\w./-]+\.js)/g)].map(([, file]) => file ?? '');
	const words = [...source.matchAll(/(?:'dist', |\bdist\()((?:'[\w.-]+'(?:, )?)+)\)/g)].map(([, list]) =>
		[...(list ?? '').matchAll(/'([\w.-]+)'/g)].map(([, word]) => word).join('/'),
	);
	return [...whole, ...words].filter((file) => file.endsWith('.js'));
}

describe("package.json's scripts", () => {
	test('run no other one for the sake of its name, as npm does with `prebuild` before `build`', () => {
		const { scripts } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
		const names = Object.keys(scripts);
		const hooks = names.filter((name) => names.includes(name.replace(/^(?:pre|post)/, '')));
		expect(hooks).toEqual(names.filter((name) => !/^(?:pre|post)/.test(name)));
	});
});

describe('what programs import of the compiled sources', () => {
	const programs = ['scripts', 'test', 'fixtures'].flatMap(programsIn);
	const named = programs.flatMap((program) =>
		compiledIn(readFileSync(program, 'utf8')).map((file) => [path.relative(root, program), file] as const),
	);

	test('is found in all its forms', () => {
		const forms = "import '../dist/a/b.js'; join(root, 'dist', 'c', 'd.js'); await dist('e.js');";
		expect(compiledIn(forms)).toEqual(['a/b.js', 'c/d.js', 'e.js']);
		expect(named.length).toBeGreaterThan(30);
	});

	test('has a source', () => {
		const missing = named.filter(
			([program, file]) =>
				!program.startsWith('scripts/release/lint') &&
				!existsSync(path.join(root, 'src', file.replace(/\.js$/, '.ts'))),
		);
		expect(missing).toEqual([]);
	});
});

/** Files of the repository, named as the words of a `join(root, …)`. */
function sourcesIn(source: string): string[] {
	const words = [...source.matchAll(/\bjoin\(\s*root, ((?:'[\w.@-]+',?\s*)+)\)/g)].map(([, list]) =>
		[...(list ?? '').matchAll(/'([\w.@-]+)'/g)].map(([, word]) => word).join('/'),
	);
	return words.filter((file) => /^(src|native|scripts|test|vendor)\/.*\.\w+$/.test(file));
}

describe('what programs read of the sources', () => {
	const named = ['scripts', 'test', 'fixtures']
		.flatMap(programsIn)
		.flatMap((program) =>
			sourcesIn(readFileSync(program, 'utf8')).map((file) => [path.relative(root, program), file] as const),
		);

	test('is found', () => {
		expect(sourcesIn("at(join(root, 'native', 'a', 'b.h'), join(root, 'build'))")).toEqual(['native/a/b.h']);
		expect(named.length).toBeGreaterThan(5);
	});

	test('exists', () => {
		expect(named.filter(([, file]) => !existsSync(path.join(root, file)))).toEqual([]);
	});
});

describe('a program started by hand', () => {
	const folder = mkdtempSync(path.join(tmpdir(), 'earshot-program-'));
	afterAll(() => rmSync(folder, { recursive: true }));
	const program = path.join(folder, 'program.mjs');
	const flags = pathToFileURL(path.join(root, 'test', 'helpers', 'flags.mjs'));
	writeFileSync(
		program,
		`/**\n * Counts.\n *\n *   … --rounds 3   so often\n */\n
import { flagsOf, wholeFrom } from '${flags}';
const { values } = flagsOf(import.meta.url, { options: { rounds: { type: 'string', default: '3' } } });
process.stdout.write(String(wholeFrom('rounds', values.rounds, 1)));
`,
	);
	const run = (...args: string[]) => {
		const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], { encoding: 'utf8' });
		return { status, stdout, stderr };
	};

	test('takes its flags', () => {
		expect(run('--rounds', '5')).toEqual({ status: 0, stdout: '5', stderr: '' });
	});

	test('prints the comment that its file begins with as its help', () => {
		expect(run('--help')).toEqual({
			status: 0,
			stdout: 'Counts.\n\n  … --rounds 3   so often\n',
			stderr: '',
		});
		expect(usageOf('// One.\n//\n//   two\nimport x;\n// Three.\n')).toBe('One.\n\n  two\n');
	});

	test.each([
		[['--bogus'], "Unknown option '--bogus'"],
		[['--rounds'], "Option '--rounds <value>' argument missing"],
		[['--rounds', '0'], 'Expected `--rounds` to be a whole number from 1, got `0`'],
		[['--rounds', 'many'], 'Expected `--rounds` to be a whole number from 1, got `many`'],
	])('refuses %j in a sentence', (args, why) => {
		expect(run(...args)).toEqual({
			status: 2,
			stdout: '',
			stderr: expect.stringContaining(why),
		});
	});
});
