import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { unpack as unpackInThread } from '../../../src/models/archive/archive.js';
import { defaultLimits, escapesFolder, unpackBlocking } from '../../../src/models/archive/unpack.js';
import { hasBzip2, type TarEntry, tar, tarbz2, targz } from '../../helpers/files/tarball.js';
import { noise } from '../../helpers/net/mirror.js';

function arrange(bytes: Buffer) {
	const folder = mkdtempSync(path.join(tmpdir(), 'earshot-test-'));
	onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
	const archive = path.join(folder, 'archive');
	writeFileSync(archive, bytes);
	const into = path.join(folder, 'into');
	return {
		folder,
		into,
		archive,
		unpack: (limits = defaultLimits(archive)) => unpackBlocking(archive, into, limits),
	};
}

/** The permissions of a file or folder, with the bits of setuid, setgid and sticky. */
const modeOf = (...names: string[]): string => (statSync(path.join(...names)).mode & 0o7777).toString(8);

const namesIn = (folder: string): string[] =>
	readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();

const good: readonly TarEntry[] = [
	{ name: 'model/', type: '5' },
	{ name: 'model/model.onnx', body: noise(70_000) },
	{ name: 'model/tokens.txt', body: Buffer.from('a 0\n') },
];

describe('an archive', () => {
	it.each<[string, Buffer]>([
		['.tar', tar(good)],
		['.tar.gz', targz(good)],
		...(hasBzip2 ? [['.tar.bz2', tarbz2(good)] satisfies [string, Buffer]] : []),
	])('is unpacked from %s', async (_, bytes) => {
		const { into, unpack } = arrange(bytes);
		await unpack();
		expect(namesIn(into)).toEqual([
			'model',
			path.join('model', 'model.onnx'),
			path.join('model', 'tokens.txt'),
		]);
		expect(readFileSync(path.join(into, 'model', 'model.onnx')).equals(noise(70_000))).toBe(true);
	});

	it.runIf(hasBzip2)('is unpacked where the system has no bzip2', async () => {
		const { into, unpack } = arrange(tarbz2(good));
		const { PATH } = process.env;
		process.env.PATH = '';
		try {
			await unpack();
		} finally {
			process.env.PATH = PATH;
		}
		expect(readFileSync(path.join(into, 'model', 'tokens.txt'), 'utf8')).toBe('a 0\n');
	});

	it.each([
		['climbs out', '../evil'],
		['climbs out on its way', 'model/../../evil'],
		['names an absolute path', '/tmp/earshot-evil'],
		['names a drive', 'C:\\evil'],
		['climbs out in the manner of Windows', 'model\\..\\..\\evil'],
	])('is refused when an entry %s', async (_, name) => {
		const { folder, unpack } = arrange(targz([...good, { name, body: Buffer.from('evil') }]));
		await expect(unpack()).rejects.toThrow('outside its folder');
		expect(readdirSync(folder).sort()).toEqual(['archive', 'into']);
		expect(existsSync('/tmp/earshot-evil')).toBe(false);
	});

	it('never makes a link, nor writes through one', async () => {
		const { folder, into, unpack } = arrange(
			targz([
				{ name: 'model', type: '2', link: '..' },
				{ name: 'hard', type: '1', link: '/etc/passwd' },
				{ name: 'model/evil', body: Buffer.from('kept inside') },
			]),
		);
		await unpack();
		expect(readdirSync(folder).sort()).toEqual(['archive', 'into']);
		expect(namesIn(into)).toEqual(['model', path.join('model', 'evil')]);
	});

	it('is refused when it is a bomb', async () => {
		const { unpack } = arrange(targz([{ name: 'zeros', body: Buffer.alloc(100 * 2 ** 20) }]));
		await expect(unpack()).rejects.toThrow('unpacks to more than');
	});

	it('is refused when it has too many entries', async () => {
		const { unpack } = arrange(targz(Array.from({ length: 20 }, (_, index) => ({ name: `f${index}` }))));
		await expect(unpack({ maxBytes: 1e9, maxEntries: 10 })).rejects.toThrow('more than 10 entries');
	});

	it('leaves nothing behind when it is refused, whatever was being written', async () => {
		const entries = Array.from({ length: 1500 }, (_, index) => ({
			name: `model/f${index}`,
			body: Buffer.from('x'),
		}));
		const { archive, folder, into } = arrange(targz(entries));
		const limits = { ...defaultLimits(archive), maxEntries: 1000 };
		await expect(unpackInThread(archive, into, new AbortController().signal, limits)).rejects.toMatchObject({
			code: 'download_corrupt',
			message: expect.stringContaining('more than 1000 entries'),
		});
		expect(readdirSync(folder)).toEqual(['archive']);
	});

	it.skipIf(process.platform === 'win32')(
		'gives files no bits but those of reading and writing',
		async () => {
			const { into, unpack } = arrange(
				targz([
					{ name: 'model/', type: '5', mode: 0o7777 },
					{ name: 'model/su', body: Buffer.from('x'), mode: 0o6777 },
					{ name: 'model/unreadable', body: Buffer.from('x'), mode: 0 },
					{ name: 'model/closed/', type: '5', mode: 0o500 },
					{ name: 'model/closed/file', body: Buffer.from('x') },
				]),
			);
			const umask = process.umask(0o022);
			try {
				await unpack();
			} finally {
				process.umask(umask);
			}
			expect(modeOf(into, 'model')).toBe('755');
			expect(modeOf(into, 'model', 'su')).toBe('644');
			expect(modeOf(into, 'model', 'unreadable')).toBe('644');
			expect(modeOf(into, 'model', 'closed')).toBe('755');
		},
	);

	it.each<[string, Buffer, string]>([
		['cut off', targz(good).subarray(0, 30_000), 'damaged'],
		['something else', Buffer.from('hello, I am a text'), 'neither'],
		['empty', targz([]), 'damaged'],
		...(hasBzip2
			? [['cut off', tarbz2(good).subarray(0, 30_000), 'damaged'] satisfies [string, Buffer, string]]
			: []),
	])('is refused when it is %s', async (_, bytes, message) => {
		await expect(arrange(bytes).unpack()).rejects.toThrow(message);
	});
});

describe('the name of an entry', () => {
	it.each(['a', 'a/b.onnx', './a', '..a/b', 'a..b'])('%s stays inside', (name) => {
		expect(escapesFolder(name)).toBe(false);
	});
});
