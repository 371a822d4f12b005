/** The rules of the house as tables, checked against the sources. docs/internals/architecture.md gives the reasons. */

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { closureOf, type Import, importsOf, packageOf, readGraph } from '../helpers/checks/import-graph.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const { files, imports } = readGraph(path.join(root, 'src'));
const paths = files.map((file) => file.path);

/** A room is a folder of src/; imports of any kind, types too, go to rooms on lower floors only. */
const floors: Readonly<Record<string, number>> = {
	'cli/main.ts': 19,
	'cli/definitions': 18,
	'cli/commands/serve': 17,
	'cli/commands': 16,
	'cli/listen': 15,
	'cli/client': 15,
	'index.ts': 15,

	library: 14,
	server: 14,
	'server/routes': 13,
	'server/jobs': 12,
	'server/job-worker': 11,
	'cluster/workers': 12,
	cluster: 6,
	'cluster/checks': 7,
	'cluster/webhooks': 7,
	'cluster/blobs': 5,
	'cluster/core': 4,
	'cluster/transport': 4,
	'cluster/records': 2,
	'server/live': 12,
	'server/wyoming': 12,
	pool: 10,
	'runner/child': 10,
	runner: 9,
	models: 8,
	'models/pull': 7,
	'pipeline/live': 7,
	pipeline: 6,
	'server/live/session': 6,
	'server/live/admission': 5,
	'engines/whisper': 6,
	'models/registry': 6,
	'models/store': 5,
	scheduler: 5,
	'server/upload': 5,
	'server/live/protocol': 5,
	'engines/sherpa': 5,
	'engines/sherpa/validate': 4,
	'models/catalog': 4,
	'server/request': 4,
	'server/request/fields': 3,
	diarization: 4,
	audio: 3,
	engines: 3,
	'models/types': 3,
	formats: 3,
	'formats/subtitles': 2,
	'core/live': 2,
	'jobs/folder': 4,
	jobs: 3,
	speakers: 2,
	webhooks: 2,
	'webhooks/folder': 3,
	addon: 2,
	'models/archive': 2,
	'model-files': 2,
	'core/disk': 1,
	'core/config': 1,
	'core/speech': 1,
	'cli/ui': 1,
	core: 0,
};

/** Packages and the only places that may import them, by any kind of import. */
const packages: readonly (readonly [pattern: RegExp, allowed: RegExp])[] = [
	[/^(@koa\/.*|koa|koa-body|formidable)$/, /^server\//],
	[/^ws$/, /^(server\/live|cli\/(listen|commands))\//],
	[/^(commander|cli-progress)$/, /^cli\//],
	[/^yaml$/, /^(models\/(registry|catalog)|server\/routes)\//],
	[/^undici$/, /^(models\/pull|cli\/client|cluster\/(blobs|workers)|webhooks)\//],
	[/^(bullmq|ioredis|pg|aws4fetch)$/, /^cluster\//],
	[/^(tar|unbzip2-stream|yauzl)$/, /^models\/archive\//],
	[/^proper-lockfile$/, /^core\/disk\//],
	[/^node-gyp-build$/, /^addon\//],
	[/^prom-client$/, /^core\/metrics\.ts$/],
	[/^pino$/, /^core\/log\.ts$/],
];

/** What no file of a room may contain, and the files that may. */
const reserved: readonly (readonly [what: string, pattern: RegExp, allowed: RegExp])[] = [
	['loading the addon', /node-gyp-build|\.node['"`]|process\.dlopen/, /^addon\//],
	// Node's `recursive` tries for ever in /proc: see makeFolder.
	['making folders', /\bmkdir(Sync)?\(/, /^(core\/disk\/|models\/convert\.ts$)/],
	['reading the environment', /process\s*\.\s*env\b|process\[|from 'node:process'/, /^core\/config\//],
	[
		'writing to standard output, or ending this process or another',
		/process\.stdout|console\.|process\.(exit|abort|kill)\b/,
		/^(cli\/|runner\/child\/run\.ts$|core\/disk\/process-alive\.ts$)/,
	],
];

/** What runs models is for runners alone. */
const engineRooms = /^(addon|audio|diarization|engines|pipeline|scheduler|runner\/child)\//;

/** What a process never has, not even a type of it. */
const closures: readonly (readonly [process: string, start: string, never: RegExp])[] = [
	['the server', 'cli/commands/serve/serve.ts', engineRooms],
	['a worker', 'cli/commands/serve/worker.ts', engineRooms],
	['a runner', 'runner/child/main.ts', /^(cli|cluster|jobs|library|pool|server)\//],
];

/** Lines of a function: see max-lines-per-function in .oxlintrc.json. */
const maxFilesInFolder = 15;
const maxLinesOfFile = 350;

function roomOf(file: string): string {
	if (floors[file] !== undefined) return file;
	const folder = path.posix.dirname(file);
	return folder;
}

const arrow = ({ from, to }: Import): string => `${from} → ${to}`;

test('the sources were found, and their imports', () => {
	expect(files.length).toBeGreaterThan(100);
	expect(imports).toContainEqual({ from: 'server/app.ts', to: 'koa', typeOnly: false });
	expect(imports).toContainEqual({
		from: 'cli/definitions/server.ts',
		to: 'cli/commands/serve/serve.ts',
		typeOnly: false,
	});
});

test('what is read of an import: its kind and its target', () => {
	const code =
		"import type { A } from './a.js';\nimport { type B } from '../b.js';\nawait import('./c/d.js');\nimport(`./e.js`);\n";
	expect(importsOf({ path: 'x/y.ts', code })).toEqual([
		{ from: 'x/y.ts', to: 'x/a.ts', typeOnly: true },
		{ from: 'x/y.ts', to: 'b.ts', typeOnly: true },
		{ from: 'x/y.ts', to: 'x/c/d.ts', typeOnly: false },
		{ from: 'x/y.ts', to: 'x/e.ts', typeOnly: false },
	]);
});

describe('rooms', () => {
	test('have a floor each', () => {
		expect([...new Set(paths.map(roomOf))].sort()).toEqual(Object.keys(floors).sort());
	});

	test('import from lower floors only, types too', () => {
		const upwards = imports.filter(({ from, to }) => {
			const [above, below] = [roomOf(from), roomOf(to)];
			return paths.includes(to) && above !== below && (floors[above] ?? 0) <= (floors[below] ?? 0);
		});
		expect(upwards.map(arrow)).toEqual([]);
	});

	test('import in one direction between the folders of src/ as wholes, too', () => {
		const wholeOf = (file: string): string => file.split('/')[0] ?? '';
		const below = new Map<string, Set<string>>();
		for (const { from, to } of imports) {
			const [above, under] = [wholeOf(from), wholeOf(to)];
			if (paths.includes(to) && above !== under)
				below.set(above, (below.get(above) ?? new Set<string>()).add(under));
		}
		const circles = [...below].flatMap(([whole, direct]) => {
			const reached = new Set(direct);
			for (const next of reached) for (const further of below.get(next) ?? []) reached.add(further);
			return reached.has(whole) ? [whole] : [];
		});
		expect(circles).toEqual([]);
	});

	test('have no circles of files inside', () => {
		const circles = paths.filter((file) => {
			const reached = new Set(imports.filter(({ from }) => from === file).map(({ to }) => to));
			for (const next of reached) for (const { from, to } of imports) if (from === next) reached.add(to);
			return reached.has(file);
		});
		expect(circles).toEqual([]);
	});
});

test.each(packages)(
	'packages that match %s are imported by files that match %s alone',
	(pattern, allowed) => {
		const found = imports.filter(({ to }) => pattern.test(packageOf(to)));
		expect(found.length).toBeGreaterThan(0);
		expect(found.filter(({ from }) => !allowed.test(from)).map(arrow)).toEqual([]);
	},
);

test('every package that is imported has its place', () => {
	const isPackage = ({ to }: Import) => !paths.includes(to) && !/^(node:|\.)/.test(to);
	const homeless = imports.filter(isPackage).filter(({ to }) => {
		return !packages.some(([pattern]) => pattern.test(packageOf(to)));
	});
	expect(homeless.map(arrow)).toEqual([]);
});

test.each(reserved)('%s is for some files alone', (_, pattern, allowed) => {
	const found = files.filter(({ code }) => pattern.test(code)).map((file) => file.path);
	expect(found.length).toBeGreaterThan(0);
	expect(found.filter((file) => !allowed.test(file))).toEqual([]);
});

test('the binding is imported for its types alone', () => {
	const found = imports.filter(({ to }) => /binding/.test(to));
	expect(found.length).toBeGreaterThan(0);
	expect(found.filter(({ typeOnly }) => !typeOnly).map(arrow)).toEqual([]);
});

test.each(closures)('%s (%s) never has files that match %s, nor their types', (_, start, never) => {
	const loaded = [...closureOf({ imports }, start)];
	expect(loaded.length).toBeGreaterThan(20);
	expect(loaded.filter((file) => never.test(file))).toEqual([]);
});

describe('sizes', () => {
	test(`a folder has at most ${maxFilesInFolder} files`, () => {
		const crowded = foldersOf(['src', 'native', 'test', 'scripts', 'fixtures/lib']).filter(
			({ count }) => count > maxFilesInFolder,
		);
		expect(crowded).toEqual([]);
	});

	test(`a file has at most ${maxLinesOfFile} lines`, () => {
		const long = files.filter(({ text }) => text.split('\n').length - 1 > maxLinesOfFile);
		expect(long.map((file) => file.path)).toEqual([]);
	});
});

/** Names that a file declares and exports, in whichever form. */
function exportedNames(code: string): string[] {
	const declared = code.matchAll(
		/^export (?:declare |abstract |async )*(?:class|interface|type|function\*?|const|let|enum) (\w+)/gm,
	);
	const lists = [...code.matchAll(/^export (?:type )?\{([^}]*)\}(?!\s*from)/gm)];
	const listed = lists.flatMap(([, list = '']) => [...list.matchAll(/(\w+)\s*(?:,|$)/g)]);
	return [...declared, ...listed].map(([, name = '']) => name);
}

test('no exported name stands in two files', () => {
	expect(exportedNames('export const a = 1;\nexport { b, c as d };\nexport { e } from "./e.js";')).toEqual([
		'a',
		'b',
		'd',
	]);
	const places = new Map<string, string[]>();
	for (const { path: file, code } of files)
		for (const name of exportedNames(code)) places.set(name, [...(places.get(name) ?? []), file]);
	const twice = [...places].filter(([, found]) => new Set(found).size > 1);
	expect(twice.map(([name, found]) => `${name}: ${found.join(', ')}`)).toEqual([]);
});

function foldersOf(names: readonly string[]): { folder: string; count: number }[] {
	return names.flatMap((name) => {
		const folder = path.join(root, name);
		const inner = readdirSync(folder, { recursive: true, withFileTypes: true });
		const folders = [
			name,
			...inner
				.filter((entry) => entry.isDirectory())
				.map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)).replaceAll('\\', '/')),
		];
		return folders.map((each) => ({
			folder: each,
			count: readdirSync(path.join(root, each), { withFileTypes: true }).filter((entry) => entry.isFile())
				.length,
		}));
	});
}

/** Folders of native/; includes go to folders on lower floors only. */
const nativeFloors: Readonly<Record<string, number>> = {
	addon: 5,
	napi: 1,
	whisper: 4,
	vad: 4,
	sherpa: 3,
	ort: 2,
	audio: 2,
	kernels: 2,
	platform: 1,
	core: 0,
};

/** Headers of libraries, and calls, and the only files of native/ that may have them. */
const nativeReserved: readonly (readonly [what: string, pattern: RegExp, allowed: RegExp])[] = [
	['Node-API', /#include <(napi|node_api)\.h>/, /^(addon|napi)\//],
	['the source of whisper.cpp', /#include <whisper\.cpp>/, /^whisper\/upstream\/upstream\.cc$/],
	['the source of parakeet.cpp', /#include <parakeet\.cpp>/, /^whisper\/parakeet\.cc$/],
	['loading libraries', /\b(dlopen|LoadLibrary\w*)\(/, /^platform\//],
	['FFmpeg', /#include <lib(av|sw)\w+\//, /^audio\//],
];

/** Lines of its files, and files that may have more. `sherpa/api.h` is data: declarations of one exact sherpa-onnx. */
const nativeSizes: readonly (readonly [
	what: string,
	maxLines: number,
	pattern: RegExp,
	except: readonly string[],
])[] = [
	['a source', 350, /\.cc$/, []],
	['a header', 300, /\.h$/, ['sherpa/api.h']],
];

/** A function is a table of fields, as long as the structures that it describes. */
const longNativeFunctions = ['sherpa/recognizer_config.cc: const Fields& RecognizerFields() {'];
const maxLinesOfNativeFunction = 80;

describe('native/', () => {
	const native = path.join(root, 'native');
	const sources = readdirSync(native, { recursive: true, encoding: 'utf8' })
		.map((name) => name.replaceAll('\\', '/'))
		.filter((name) => /\.(cc|h)$/.test(name))
		.map((name) => ({ name, text: readFileSync(path.join(native, name), 'utf8') }));
	const folderOf = (name: string) => name.split('/')[0] ?? '';

	test('has a floor for each folder', () => {
		const folders = new Set(sources.map(({ name }) => folderOf(name)));
		expect([...folders].sort()).toEqual(Object.keys(nativeFloors).sort());
	});

	test('includes go down', () => {
		const includes = sources.flatMap(({ name, text }) =>
			[...text.matchAll(/^#include "((?:\w+\/)+[\w-]+\.h)"/gm)].map(([, to = '']) => ({ from: name, to })),
		);
		expect(includes.length).toBeGreaterThan(100);
		const upwards = includes.filter(({ from, to }) => {
			const [above, below] = [folderOf(from), folderOf(to)];
			return above !== below && (nativeFloors[above] ?? 0) <= (nativeFloors[below] ?? 99);
		});
		expect(upwards.map(({ from, to }) => `${from} → ${to}`)).toEqual([]);
	});

	test.each(nativeReserved)('%s is for some files alone', (_, pattern, allowed) => {
		const found = sources.filter(({ text }) => pattern.test(text)).map(({ name }) => name);
		expect(found.length).toBeGreaterThan(0);
		expect(found.filter((name) => !allowed.test(name))).toEqual([]);
	});

	test('depends on the operating system only in platform/', () => {
		const asks =
			/#\s*if.*\b(_WIN32|__APPLE__|__linux__|__GLIBC__)\b|#include <(windows|dlfcn|fcntl|unistd|malloc|sys\/\w+)\.h>/;
		const found = sources.filter(({ text }) => asks.test(text)).map(({ name }) => name);
		expect(found.length).toBeGreaterThan(0);
		expect(found.filter((name) => !/^platform\//.test(name))).toEqual([]);
	});

	test.each(nativeSizes)('%s has at most %i lines', (_, maxLines, pattern, except) => {
		const found = sources.filter(({ name }) => pattern.test(name) && !except.includes(name));
		expect(found.length).toBeGreaterThan(10);
		const long = found.filter(({ text }) => text.split('\n').length - 1 > maxLines);
		expect(long.map(({ name }) => name)).toEqual([]);
	});

	test.each(nativeSizes)(
		'%s: what is excepted is there and longer than %i lines',
		(_, maxLines, __, except) => {
			const long = sources
				.filter(({ text }) => text.split('\n').length - 1 > maxLines)
				.map(({ name }) => name);
			expect(except.filter((name) => !long.includes(name))).toEqual([]);
		},
	);

	test(`a function has at most ${maxLinesOfNativeFunction} lines`, () => {
		const functions = sources.flatMap(({ name, text }) =>
			nativeFunctionsOf(text).map(({ head, lines }) => ({ what: `${name}: ${head}`, lines })),
		);
		expect(functions.length).toBeGreaterThan(400);
		const long = functions.filter(({ lines }) => lines > maxLinesOfNativeFunction);
		expect(long.map(({ what }) => what)).toEqual(longNativeFunctions);
	});
});

/** Functions as clang-format lays them out: closed by a lone brace at the margin, or one step from it in a class, and
 * begun by the last line before it with the same indentation. Blocks that look alike are shorter than their function. */
function nativeFunctionsOf(text: string): { head: string; lines: number }[] {
	const lines = text.split('\n');
	return lines.flatMap((line, end) => {
		const indentation = /^( {0,2})\}$/.exec(line)?.[1];
		if (indentation === undefined) return [];
		const begins = (other: string) =>
			other.startsWith(indentation) && /\w/.test(other[indentation.length] ?? '');
		const start = lines.slice(0, end).findLastIndex(begins);
		return [{ head: lines[start]?.trim() ?? '', lines: end - start + 1 }];
	});
}
