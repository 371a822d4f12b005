import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { diskFailure, makeFolder, makeFolderSync, renameOver } from '../../../../src/core/disk/disk.js';
import { Scratch } from '../../../helpers/net/real-server.js';

const failure = (code: string) => Object.assign(new Error(code), { code });

/** A file system that refuses so many times, and what was asked of it. */
function refusing(times: number, code: string) {
	const asked: string[] = [];
	const paused: number[] = [];
	return {
		asked,
		paused,
		move: async (from: string, to: string) => {
			asked.push(`${from} → ${to}`);
			if (asked.length <= times) throw failure(code);
		},
		pause: async (ms: number) => paused.push(ms),
	};
}

describe('a file that takes the place of another', () => {
	it.each(['EPERM', 'EACCES', 'EBUSY'])(
		'is tried again on Windows if it is open elsewhere (%s)',
		async (code) => {
			const disk = refusing(3, code);
			await renameOver('new', 'old', { ...disk, platform: 'win32' });
			expect(disk.asked).toEqual(Array(4).fill('new → old'));
			expect(disk.paused).toEqual([10, 20, 50]);
		},
	);

	it('is given up on after a second and a half', async () => {
		const disk = refusing(100, 'EPERM');
		await expect(renameOver('new', 'old', { ...disk, platform: 'win32' })).rejects.toThrow('EPERM');
		expect(disk.paused.reduce((sum, ms) => sum + ms)).toBe(1580);
	});

	it('is not tried again where the disk is full', async () => {
		const disk = refusing(1, 'ENOSPC');
		await expect(renameOver('new', 'old', { ...disk, platform: 'win32' })).rejects.toThrow('ENOSPC');
		expect(disk.asked).toHaveLength(1);
	});

	it('is not retried on other systems, where a refusal is permanent', async () => {
		const disk = refusing(1, 'EPERM');
		await expect(renameOver('new', 'old', { ...disk, platform: 'linux' })).rejects.toThrow('EPERM');
		expect(disk.asked).toHaveLength(1);
	});
});

it.each([
	['EBUSY', 'conflict', 'has a file in /models open'],
	['ENOSPC', 'disk_full', 'the disk of /models is full'],
	['EPERM', 'config_invalid', 'that this user may write to'],
])('an error of the file system (%s) becomes %s', (code, expected, words) => {
	const shown = diskFailure(failure(code), '/models');
	expect(shown?.code).toBe(expected);
	expect(shown?.message).toContain(words);
});

describe.each([
	['makeFolder', makeFolder],
	['makeFolderSync', async (folder: string) => makeFolderSync(folder)],
] as const)('%s', (_, make) => {
	it('makes a folder and its parents, and accepts an existing one', async () => {
		using scratch = new Scratch();
		const folder = path.join(scratch.path, 'a', 'b', 'c');
		await make(folder);
		await make(folder);
		expect(statSync(folder).isDirectory()).toBe(true);
	});

	it.runIf(existsSync('/proc/self')).each(['/proc/x', '/proc/x/y/z', '/dev/null/x'])(
		'says that there can be none at %s, rather than trying for ever',
		async (folder) => {
			const thrown: unknown = await make(folder).catch((error: unknown) => error);
			expect(diskFailure(thrown, folder)?.message).toBe(
				`Expected \`model_dir\` to be in a folder that this user may write to, got \`${folder}\``,
			);
		},
	);
});
