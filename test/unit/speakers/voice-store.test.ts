import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type EnrolledVoice, VoiceStore } from '../../../src/speakers/voice-store.js';

function arrange() {
	const folder = path.join(mkdtempSync(path.join(tmpdir(), 'earshot-voices-')), 'voices');
	onTestFinished(() => rmSync(path.dirname(folder), { recursive: true, force: true }));
	return { folder, store: new VoiceStore(folder) };
}

const voice = (name: string, numbers = [1, 0]): EnrolledVoice => ({
	name,
	voice: numbers,
	fingerprint: 'f',
	seconds: 4,
	created: 1,
});

test('a store without a folder has no voices', async () => {
	expect(await arrange().store.list()).toEqual([]);
	expect(await arrange().store.remove('Ada')).toBe(false);
});

test('voices are found by any name that a person may have, in order', async () => {
	const { store } = arrange();
	for (const name of ['Żaneta', '../../etc/passwd', 'a'.repeat(100), '王芳']) await store.add(voice(name));
	expect((await store.list()).map(({ name }) => name)).toEqual([
		'../../etc/passwd',
		'a'.repeat(100),
		'Żaneta',
		'王芳',
	]);
	expect(await store.find(' Żaneta')).toEqual(voice('Żaneta'));
});

test('a voice of the same name takes the place of the first', async () => {
	const { store, folder } = arrange();
	await store.add(voice('Ada'));
	await store.add(voice('Ada', [0, 1]));
	expect((await store.list()).map((each) => each.voice)).toEqual([[0, 1]]);
	expect(readdirSync(folder)).toHaveLength(1);
});

test.skipIf(process.platform === 'win32')('only this user can read them', async () => {
	const { store, folder } = arrange();
	await store.add(voice('Ada'));
	const [file = ''] = readdirSync(folder);
	expect(statSync(folder).mode & 0o777).toBe(0o700);
	expect(statSync(path.join(folder, file)).mode & 0o777).toBe(0o600);
});

test('removing a voice leaves nothing of it', async () => {
	const { store, folder } = arrange();
	await store.add(voice('Ada'));
	expect(await store.remove('Ada')).toBe(true);
	expect(readdirSync(folder)).toEqual([]);
	expect(await store.find('Ada')).toBeUndefined();
});

test('removing a voice removes copies of its file, and what a crash while it was written has left', async () => {
	const { store, folder } = arrange();
	await store.add(voice('Ada'));
	const [file = ''] = readdirSync(folder);
	for (const name of ['copy.json', `${file}.0000.part`])
		copyFileSync(path.join(folder, file), path.join(folder, name));
	await store.add(voice('Bob'));
	expect((await store.list()).map(({ name }) => name)).toEqual(['Ada', 'Bob']);
	expect(await store.remove('Ada')).toBe(true);
	expect(readdirSync(folder)).toHaveLength(1);
	expect((await store.list()).map(({ name }) => name)).toEqual(['Bob']);
});

test('voices added and removed at once all succeed, and each is whole, or absent', async () => {
	const { store, folder } = arrange();
	// Of two stores, as of a server and a command that use the folder at once.
	const stores = [store, new VoiceStore(folder)];
	const calls = Array.from({ length: 300 }, (_, at) => {
		const [one = store, name] = [stores[at % 2], `person ${at % 5}`];
		return at % 3 === 0 ? one.remove(name) : one.add(voice(name, at % 2 === 0 ? [1, 0] : [0, 1]));
	});
	const listed = Array.from({ length: 20 }, () => store.list());
	expect((await Promise.allSettled(calls)).filter(({ status }) => status === 'rejected')).toEqual([]);
	for (const each of await Promise.all(listed))
		expect(new Set(each.map(({ name }) => name)).size).toBe(each.length);
	const left = (await store.list()).map(({ name }) => name);
	expect(readdirSync(folder)).toHaveLength(left.length);
	for (const name of left) await store.remove(name);
	expect(readdirSync(folder)).toEqual([]);
});

test('one that is removed while it is added either exists afterwards or does not', async () => {
	const { store, folder } = arrange();
	for (let round = 0; round < 50; round++) {
		let isAdded = false;
		const adding = store.add(voice('Ada')).finally(() => {
			isAdded = true;
		});
		while (!isAdded) await store.remove('Ada');
		await adding;
		expect(readdirSync(folder)).toHaveLength((await store.list()).length);
	}
});

test('a folder in the place of a file is left out', async () => {
	const { store, folder } = arrange();
	await store.add(voice('Ada'));
	mkdirSync(path.join(folder, 'folder.json'));
	expect(await store.list()).toHaveLength(1);
});

test.each<[string, object]>([
	['is not of length 1, and would be like everybody', { voice: [1e300, 1] }],
	['has a name that a terminal obeys', { name: 'A\u001b[2J' }],
	['was enrolled in no year', { created: 1e300 }],
])('a voice that %s is left out', async (_, change) => {
	const { store, folder } = arrange();
	await store.add(voice('Ada'));
	const [file = ''] = readdirSync(folder);
	writeFileSync(path.join(folder, file), JSON.stringify({ ...voice('Ada'), ...change }));
	expect(await store.list()).toEqual([]);
	expect(await store.find('Ada')).toBeUndefined();
});

test('names may have joiners, and are the same however they are composed', async () => {
	const { store } = arrange();
	for (const name of ['Zoe\u0308', '👩‍👩‍👧', 'می\u200Cنا']) await store.add(voice(name));
	expect(await store.find('Zoë'.normalize('NFC'))).toBeDefined();
	expect(await store.find('👩‍👩‍👧')).toBeDefined();
});

test.each([
	'{',
	'[]',
	'{"name":"x"}',
	'{"name":"x","voice":["1"],"fingerprint":"f","seconds":1,"created":1}',
])('a file that is no voice is left out: %s', async (text) => {
	const { store, folder } = arrange();
	await store.add(voice('Ada'));
	writeFileSync(path.join(folder, 'odd.json'), text);
	expect((await store.list()).map(({ name }) => name)).toEqual(['Ada']);
});

test.each(['', '  ', 'all', 'a\nb', 'a'.repeat(101)])('%j is no name', async (name) => {
	await expect(arrange().store.add(voice(name))).rejects.toMatchObject({
		code: 'invalid_request',
		param: 'name',
	});
});
