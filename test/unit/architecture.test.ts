/** The import rules of the house, read from the sources. */

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

interface Import {
	readonly from: string;
	/** A path inside src, or the name of a package. */
	readonly to: string;
	readonly typeOnly: boolean;
}

interface Source {
	/** Relative to src, with `/`. */
	readonly path: string;
	/** Without comments. */
	readonly code: string;
}

const src = fileURLToPath(new URL('../../src', import.meta.url));

const sources: Source[] = readdirSync(src, { recursive: true, encoding: 'utf8' })
	.filter((name) => name.endsWith('.ts'))
	.map((name) => ({
		path: name.replaceAll('\\', '/'),
		code: withoutComments(readFileSync(join(src, name), 'utf8')),
	}));

const imports = sources.flatMap(importsOf);

function withoutComments(code: string): string {
	return code.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
}

function importsOf({ path, code }: Source): Import[] {
	const statements = code.matchAll(/^(?:import|export)\s+(type\s)?([^;'"]*?from\s+)?['"]([^'"]+)['"]/gm);
	const calls = code.matchAll(/\b(?:import|require)\(\s*['"]([^'"]+)['"]/g);
	return [
		...[...statements].map(([, type, names = '', to]) => ({
			from: path,
			to: resolved(path, to ?? ''),
			typeOnly: type !== undefined || namesTypesOnly(names),
		})),
		...[...calls].map(([, to]) => ({ from: path, to: resolved(path, to ?? ''), typeOnly: false })),
	];
}

/** `{ type A, type B }` */
function namesTypesOnly(names: string): boolean {
	const list = /^\{([\s\S]*)\}/.exec(names.trim())?.[1];
	return list?.split(',').every((name) => /^\s*(type\s.*)?$/.test(name)) ?? false;
}

function resolved(from: string, to: string): string {
	if (!to.startsWith('.')) return to;
	return relative(src, join(src, dirname(from), to))
		.replaceAll('\\', '/')
		.replace(/\.js$/, '.ts');
}

const offenders = (found: readonly Import[]): string[] => found.map(({ from, to }) => `${from} → ${to}`);

const files = (pattern: RegExp): string[] =>
	sources.filter(({ code }) => pattern.test(code)).map(({ path }) => path);

test('the sources were found', () => {
	expect(sources.length).toBeGreaterThan(20);
	expect(imports).toContainEqual({ from: 'server/app.ts', to: 'koa', typeOnly: false });
	expect(imports).toContainEqual({ from: 'server/guard.ts', to: 'koa', typeOnly: true });
	expect(imports).toContainEqual({ from: 'server/app.ts', to: 'errors.ts', typeOnly: false });
});

describe('only', () => {
	test('engines/native.ts loads the addon', () => {
		expect(files(/node-gyp-build|\.node['"`]|process\.dlopen/)).toEqual(['engines/native.ts']);
		const binding = imports.filter(({ to, typeOnly }) => /binding/.test(to) && !typeOnly);
		expect(offenders(binding)).toEqual([]);
	});

	test('those who run models import engines/native.ts', () => {
		const users = imports.filter(
			({ from, to }) => to === 'engines/native.ts' && /^(server|formats|catalog|transcriber)\//.test(from),
		);
		expect(offenders(users)).toEqual([]);
	});

	test('server imports koa, and what belongs to it', () => {
		const koa = imports.filter(
			({ from, to }) => /^(@?koa|formidable)/.test(to) && !from.startsWith('server/'),
		);
		expect(offenders(koa)).toEqual([]);
	});

	test('config/ reads the environment', () => {
		expect(files(/process\s*\.\s*env\b|process\[/)).toEqual([
			'config/environment.ts',
			'config/folders.ts',
			'config/resolve.ts',
		]);
	});

	test('cli writes to stdout or ends the process, but for a host, which is a process of its own', () => {
		const found = files(/process\.stdout|console\.|process\.(exit|abort|kill)\b/);
		expect(found.filter((path) => !path.startsWith('cli/') && path !== 'pool/run-host.ts')).toEqual([]);
	});
});

test('transcriber never imports a concrete engine, not even its types', () => {
	const concrete = imports.filter(
		({ from, to }) =>
			from.startsWith('transcriber/') && to.startsWith('engines/') && to !== 'engines/engine.ts',
	);
	expect(offenders(concrete)).toEqual([]);
});

test('nobody imports upwards: cli → server → pool → transcriber → engines', () => {
	const floors = ['engines/', 'transcriber/', 'pool/', 'server/', 'cli/'];
	const floorOf = (path: string): number => floors.findIndex((floor) => path.startsWith(floor));
	const upwards = imports.filter(
		({ from, to, typeOnly }) => !typeOnly && floorOf(from) >= 0 && floorOf(to) > floorOf(from),
	);
	expect(offenders(upwards)).toEqual([]);
});

test('formats, audio and catalog know nothing of server and cli', () => {
	const wrong = imports.filter(
		({ from, to }) => /^(formats|audio|catalog)\//.test(from) && /^(server|cli|pool)\//.test(to),
	);
	expect(offenders(wrong)).toEqual([]);
});

test('leaves import nobody but leaves', () => {
	const leaves = ['clock.ts', 'config.ts', 'errors.ts', 'log.ts', 'metrics.ts', 'signals.ts'];
	const local = new Set(sources.map(({ path }) => path));
	const wrong = imports.filter(
		({ from, to }) => leaves.includes(from) && local.has(to) && !leaves.includes(to),
	);
	expect(offenders(wrong)).toEqual([]);
});

test('native/ asks which operating system it is on in its platform files alone', () => {
	const folder = fileURLToPath(new URL('../../native', import.meta.url));
	const asks =
		/#\s*if.*\b(_WIN32|__APPLE__|__linux__|__GLIBC__)\b|#include <(windows|dlfcn|fcntl|unistd|malloc|sys\/\w+)\.h>/;
	const found = readdirSync(folder)
		.filter((name) => /\.(cc|h)$/.test(name))
		.filter((name) => asks.test(readFileSync(join(folder, name), 'utf8')));
	expect(found.sort()).toEqual(['platform_posix.cc', 'platform_windows.cc']);
});
