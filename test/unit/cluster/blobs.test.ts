/** One suite for every blob store that several machines share. */

import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { AwsV4Signer } from 'aws4fetch';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openBlobs } from '../../../src/cluster/blobs/open-blobs.js';
import { readListing, S3Blobs } from '../../../src/cluster/blobs/s3-blobs.js';
import { createS3Client, urlOf } from '../../../src/cluster/blobs/s3-client.js';
import { type BlobStore, readBlob } from '../../../src/jobs/blobs.js';
import { FolderBlobs } from '../../../src/jobs/folder/folder-blobs.js';
import { type FakeS3, startS3 } from '../../helpers/net/s3.js';

const folder = mkdtempSync(path.join(tmpdir(), 'earshot-test-'));
let s3: FakeS3;
beforeAll(async () => {
	s3 = await startS3();
});
afterAll(async () => {
	await s3.close();
	rmSync(folder, { recursive: true });
});

const s3Blobs = (changes: Partial<FakeS3> = {}) =>
	new S3Blobs({
		client: createS3Client({ ...s3, sessionToken: '', ...changes }, AwsV4Signer),
		prefix: 'earshot/',
		tempFolder: folder,
	});

const stores: readonly (readonly [name: string, open: () => BlobStore])[] = [
	['a shared folder', () => new FolderBlobs(path.join(folder, 'blobs'))],
	['an object store', s3Blobs],
];

async function* pieces(bytes: Buffer, size = 100_000): AsyncGenerator<Uint8Array> {
	for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function read(blobs: BlobStore, ...call: Parameters<BlobStore['get']>): Promise<Buffer> {
	const all: Uint8Array[] = [];
	for await (const piece of blobs.get(...call)) all.push(piece);
	return Buffer.concat(all);
}

async function keysOf(blobs: BlobStore, prefix: string): Promise<string[]> {
	const keys: string[] = [];
	for await (const { key } of blobs.list(prefix)) keys.push(key);
	return keys.sort();
}

describe.each(stores)('%s', (_, open) => {
	test('gives back what was put, and says its size and digest', async () => {
		const blobs = open();
		const bytes = randomBytes(1_234_567);
		const ref = await blobs.put('trj_a/audio', pieces(bytes));
		const sha256 = createHash('sha256').update(bytes).digest('hex');
		expect(ref).toEqual({ key: 'trj_a/audio', size: bytes.length, sha256 });
		expect((await readBlob(blobs, 'trj_a/audio')).equals(bytes)).toBe(true);
	});

	test('gives ranges', async () => {
		const blobs = open();
		await blobs.put('trj_a/digits', pieces(Buffer.from('0123456789')));
		const range = async (start: number, end?: number) =>
			String(await read(blobs, 'trj_a/digits', { start, ...(end !== undefined && { end }) }));
		expect([await range(0), await range(3), await range(3, 5), await range(0, 1)]).toEqual([
			'0123456789',
			'3456789',
			'34',
			'0',
		]);
		expect([await range(4, 4), await range(10), await range(10, 20), await range(8, 99)]).toEqual([
			'',
			'',
			'',
			'89',
		]);
	});

	test('replaces what is there', async () => {
		const blobs = open();
		await blobs.put('trj_a/again', pieces(Buffer.from('before')));
		await blobs.put('trj_a/again', pieces(Buffer.from('now')));
		expect(String(await readBlob(blobs, 'trj_a/again'))).toBe('now');
	});

	test('stores an empty blob', async () => {
		const blobs = open();
		expect((await blobs.put('trj_a/empty', pieces(Buffer.alloc(0)))).size).toBe(0);
		expect((await readBlob(blobs, 'trj_a/empty')).length).toBe(0);
	});

	test('takes a file, and removes it', async () => {
		const blobs = open();
		const file = path.join(folder, 'given');
		writeFileSync(file, 'of a file');
		expect((await blobs.putFile('trj_b/audio', file)).size).toBe(9);
		expect(readdirSync(folder)).not.toContain('given');
		expect(String(await readBlob(blobs, 'trj_b/audio'))).toBe('of a file');
	});

	test('keeps nothing of a source that fails', async () => {
		const blobs = open();
		async function* failing(): AsyncGenerator<Uint8Array> {
			yield Buffer.from('half');
			throw new Error('the client has gone');
		}
		await expect(blobs.put('trj_c/audio', failing())).rejects.toThrow('the client has gone');
		expect(await keysOf(blobs, 'trj_c/')).toEqual([]);
	});

	test('says `not_found` of what is not there, and deletes it all the same', async () => {
		const blobs = open();
		await expect(readBlob(blobs, 'trj_no/audio')).rejects.toMatchObject({ code: 'not_found' });
		await expect(blobs.delete('trj_no/audio')).resolves.toBeUndefined();
	});

	test('lists by prefix, and no more after deleting', async () => {
		const blobs = open();
		const before = Date.now() / 1000 - 2;
		await blobs.put('trj_d/audio', pieces(Buffer.from('four')));
		await blobs.put('trj_d/result.json', pieces(Buffer.from('{}')));
		expect(await keysOf(blobs, 'trj_d/')).toEqual(['trj_d/audio', 'trj_d/result.json']);
		expect(await keysOf(blobs, 'trj_d/r')).toEqual(['trj_d/result.json']);
		expect((await keysOf(blobs, '')).length).toBeGreaterThan(2);
		for await (const { key, size, modifiedAt } of blobs.list('trj_d/audio')) {
			expect({ key, size }).toEqual({ key: 'trj_d/audio', size: 4 });
			expect(modifiedAt).toBeGreaterThan(before);
		}
		await blobs.delete('trj_d/audio');
		expect(await keysOf(blobs, 'trj_d/')).toEqual(['trj_d/result.json']);
	});

	test.each(['../etc/passwd', 'trj_a/../b', '/x/y'])('refuses the key %s', async (key) => {
		await expect(open().put(key, pieces(Buffer.alloc(1)))).rejects.toMatchObject({ code: 'not_found' });
	});
});

describe('a shared folder', () => {
	test('is readable by its owner alone', async () => {
		const blobs = new FolderBlobs(path.join(folder, 'private'));
		await blobs.put('trj_a/audio', pieces(Buffer.from('secret')));
		const { statSync } = await import('node:fs');
		expect(statSync(blobs.fileOf('trj_a/audio')).mode & 0o077).toBe(0);
	});

	test('keeps no empty folders of what was deleted, but itself', async () => {
		const place = path.join(folder, 'emptied');
		const blobs = new FolderBlobs(place);
		await blobs.put('trj_a/audio', pieces(Buffer.from('x')));
		await blobs.put('trj_a/result.json', pieces(Buffer.from('y')));
		await blobs.delete('trj_a/audio');
		expect(readdirSync(place)).toEqual(['trj_a']);
		await blobs.delete('trj_a/result.json');
		await blobs.delete('none');
		expect(readdirSync(place)).toEqual([]);
	});

	test.skipIf(process.getuid?.() === 0)('says that it cannot be written to', async () => {
		const locked = mkdtempSync(path.join(folder, 'locked-'));
		chmodSync(locked, 0o500);
		await expect(
			new FolderBlobs(path.join(locked, 'in')).put('trj_a/audio', pieces(Buffer.from('x'))),
		).rejects.toThrow();
	});
});

describe('an object store', () => {
	test('gives a long list page by page', async () => {
		const blobs = s3Blobs();
		const names = Array.from({ length: 7 }, (_, index) => `trj_page/n${index}`);
		for (const name of names) await blobs.put(name, pieces(Buffer.from('x')));
		s3.pageSize = 3;
		expect(await keysOf(blobs, 'trj_page/')).toEqual(names);
		s3.pageSize = 1000;
	});

	test('is asked again while it is busy, with the whole body', async () => {
		s3.failNext(2, 503);
		const blobs = s3Blobs();
		await blobs.put('trj_busy/audio', pieces(Buffer.from('all of it')));
		expect(String(await readBlob(blobs, 'trj_busy/audio'))).toBe('all of it');
	});

	test("whose keys are wrong says so, with the store's answer", async () => {
		const blobs = s3Blobs({ secretAccessKey: 'another' });
		await expect(blobs.put('trj_a/audio', pieces(Buffer.from('x')))).rejects.toThrow(
			'the blob store answered SignatureDoesNotMatch: refused by the test',
		);
	});

	test('that cannot be reached is `closed`, so that work is tried again', async () => {
		const blobs = s3Blobs({ endpoint: 'http://127.0.0.1:1' });
		await expect(readBlob(blobs, 'trj_a/audio')).rejects.toMatchObject({ code: 'closed' });
	});

	test('without keys in the environment is refused at the start', async () => {
		await expect(openBlobs('s3://recordings/earshot')).rejects.toMatchObject({
			code: 'config_invalid',
			param: 'blobs',
		});
	});

	test("is Amazon's of the region unless an endpoint is given", () => {
		const place = { ...s3, sessionToken: '', endpoint: '' };
		expect(urlOf(place, { method: 'GET', object: 'earshot/trj_a/audio' })).toBe(
			'https://recordings.s3.eu-test-1.amazonaws.com/earshot/trj_a/audio',
		);
	});
});

test('a listing is read with its entities, and an empty one', () => {
	const xml =
		'<R><IsTruncated>false</IsTruncated><Contents><Key>a&amp;b</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><Size>7</Size></Contents></R>';
	expect(readListing(xml)).toEqual({
		blobs: [{ key: 'a&b', size: 7, modifiedAt: Date.UTC(2026, 0, 2, 3, 4, 5) / 1000 }],
		next: undefined,
	});
	expect(readListing('<R></R>')).toEqual({ blobs: [], next: undefined });
});
