import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { weightsFolder } from '../../../src/engines/whisper/weights-folder.js';

const root = mkdtempSync(path.join(tmpdir(), 'earshot-weights-folder-'));
afterAll(() => rmSync(root, { recursive: true }));

describe('the folder of shared weights', () => {
	it('is created, for its owner alone', async () => {
		const folder = path.join(root, 'new', 'weights');
		expect(await weightsFolder(folder, 'linux')).toBe(folder);
		if (process.platform !== 'win32') expect(statSync(folder).mode & 0o777).toBe(0o700);
	});

	it('loses drafts that a process left an hour ago, and nothing else', async () => {
		const folder = path.join(root, 'drafts');
		await weightsFolder(folder, 'linux');
		const hoursAgo = Date.now() / 1000 - 7200;
		const files = { old: '0a.weights.aB3xY9', new: '0b.weights.aB3xY9', whole: '0c.weights' };
		for (const name of Object.values(files)) writeFileSync(path.join(folder, name), '');
		for (const name of [files.old, files.whole]) utimesSync(path.join(folder, name), hoursAgo, hoursAgo);
		await weightsFolder(folder, 'linux');
		expect(readdirSync(folder).sort()).toEqual([files.new, files.whole]);
	});

	it('is used although an old draft cannot be removed', async () => {
		const folder = path.join(root, 'undeletable');
		const draft = path.join(folder, '0d.weights.aB3xY9');
		// For root too, to whom other users' files are no obstacle.
		mkdirSync(draft, { recursive: true });
		utimesSync(draft, 0, 0);
		expect(await weightsFolder(folder, 'linux')).toBe(folder);
	});

	it('is none where none is set', async () => {
		expect(await weightsFolder('', 'win32')).toBeUndefined();
	});

	it('is refused where it is a file', async () => {
		const file = path.join(root, 'file');
		writeFileSync(file, '');
		await expect(weightsFolder(file, 'linux')).rejects.toMatchObject({
			code: 'config_invalid',
			message: expect.stringMatching(
				/^Expected `weights_dir` to be a folder that can be written \(.+\), got `.+file`$/,
			),
		});
	});

	it('is refused on Windows', async () => {
		await expect(weightsFolder(root, 'win32')).rejects.toMatchObject({
			code: 'config_invalid',
			message: `Expected \`weights_dir\` to be unset on Windows, where processes cannot share weights, got \`${root}\``,
		});
	});
});
