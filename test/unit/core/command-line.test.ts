import { describe, expect, it } from 'vitest';
import { earshot, programOf } from '../../../src/core/command-line.js';
import { folderOfCaller } from '../../../src/core/config/environment.js';

describe('the command in messages', () => {
	const checkout = { root: '/src/earshot/', isCheckout: true };
	const main = '/src/earshot/dist/cli/main.js';

	it.each([
		[
			'an installed package',
			{ ...checkout, isCheckout: false, script: main, cwd: '/src/earshot' },
			'earshot',
		],
		['a link among the programs', { ...checkout, script: '/usr/bin/earshot', cwd: '/home/me' }, 'earshot'],
		['a checkout', { ...checkout, script: main, cwd: '/src/earshot' }, 'npm run earshot --'],
		['a folder of a checkout', { ...checkout, script: main, cwd: '/src/earshot/docs' }, 'npm run earshot --'],
		[
			'a checkout that is elsewhere',
			{ ...checkout, script: main, cwd: '/home/me' },
			'npm --prefix /src/earshot run earshot --',
		],
	])('is one that exists in %s', (_, invocation, program) => {
		expect(programOf(invocation)).toBe(program);
	});

	it('is the plain one where a program has the library', () => {
		expect(earshot('pull base')).toBe('earshot pull base');
	});
});

describe('the folder in which the user is', () => {
	it.each([
		[
			'npm runs a script of this package',
			{ npm_package_json: '/src/package.json', INIT_CWD: '/home/me' },
			'/home/me',
		],
		[
			'npm runs a script of another package',
			{ npm_package_json: '/app/package.json', INIT_CWD: '/x' },
			undefined,
		],
		['npm does not run it', { INIT_CWD: '/x' }, undefined],
	])('where %s', (_, env, folder) => {
		expect(folderOfCaller('/src/', env)).toBe(folder);
	});
});
