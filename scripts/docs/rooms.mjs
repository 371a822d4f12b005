// The rooms of src/: floors from test/unit/architecture.test.ts, imports as the sources have them.
import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { code, codes, root, table } from './pages.mjs';

const source = join(root, 'src');

/** Room → floor, as the test has them. */
function readFloors() {
	const test = readFileSync(join(root, 'test', 'unit', 'architecture.test.ts'), 'utf8');
	const rows = /const floors: [^=]*= \{\n(.*?)\n\};/s.exec(test)?.[1] ?? '';
	const floors = new Map(
		[...rows.matchAll(/^\t'?([\w./-]+)'?: (\d+),$/gm)].map(([, room, floor]) => [room, Number(floor)]),
	);
	if (floors.size === 0) throw new Error('test/unit/architecture.test.ts has no table of floors');
	return floors;
}

/** Paths that a file imports, types too, relative to src/. */
function importsOf(file) {
	const text = readFileSync(join(source, file), 'utf8');
	return [...text.matchAll(/(?:^(?:import|export)\s[^;'"]*?|\bimport\()\s*['"](\.[^'"]+)['"]/gm)].map(
		([, to]) => posix.join(posix.dirname(file), to).replace(/\.js$/, '.ts'),
	);
}

/** One row a room, from the highest floor down. Throws where a room is in the test alone, or in src/ alone. */
export function rooms() {
	const floors = readFloors();
	const roomOf = (file) => {
		const folder = posix.dirname(file);
		return floors.has(file) ? file : folder;
	};
	const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
		.map((name) => name.replaceAll('\\', '/'))
		.filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'));
	const below = new Map([...floors.keys()].map((room) => [room, new Set()]));
	for (const file of files) {
		const room = roomOf(file);
		if (!below.has(room)) throw new Error(`src/${room} has no floor in test/unit/architecture.test.ts`);
		for (const to of importsOf(file))
			if (files.includes(to) && roomOf(to) !== room) below.get(room).add(roomOf(to));
	}
	const byFloor = (a, b) => floors.get(b) - floors.get(a);
	const rows = [...floors.keys()]
		.sort(byFloor)
		.map((room) => [
			floors.get(room),
			code(room),
			codes([...below.get(room)].filter((to) => to !== 'core').sort(byFloor)),
		]);
	return table(['floor', 'room', 'imports from'], rows);
}
