import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type EnrolledVoice, VoiceStore } from '../../../src/voices/store.js';

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
