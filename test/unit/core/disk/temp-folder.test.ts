import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	rmSync,
	statSync,
	symlinkSync,
	utimesSync,
	writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createTempFolder } from '../../../../src/core/disk/temp-folder.js';
import { FakeClock } from '../../../helpers/fakes.js';

/** A temporary folder, and the name of a process's folder in it, whose process id can be exchanged. */
async function arrange() {
	const parent = mkdtempSync(path.join(tmpdir(), 'earshot-test-'));
	onTestFinished(() => rmSync(parent, { recursive: true, force: true }));
	const clock = new FakeClock();
	const first = await createTempFolder(parent, clock);
	const [, scope = ''] = path.basename(first.path).split('-');
	const left = (pid: number, itsScope = scope): string => {
		const folder = path.join(parent, `earshot-${itsScope}-${pid}-abcdef`);
		mkdirSync(folder);
		writeFileSync(path.join(folder, 'recording'), 'a voice');
		return folder;
	};
	return { parent, clock, first, left };
}

function deadPid(): number {
	return spawnSync(process.execPath, ['--version']).pid;
}

function living(): ChildProcess {
	const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
	onTestFinished(() => void child.kill());
	return child;
}

const twoDaysAgo = new Date(Date.now() - 2 * 24 * 3_600_000);

test('what a killed server left is removed when the next one starts', async () => {
	const { parent, first, left } = await arrange();
	const killed = left(deadPid());
	const next = await createTempFolder(parent, new FakeClock());
	expect(existsSync(killed)).toBe(false);
	expect(readdirSync(parent).sort()).toEqual(
		[first.path, next.path].map((each) => path.basename(each)).sort(),
	);
});

test('so is what a process with the same id left before this one began, as in a container', async () => {
	const { parent, left } = await arrange();
	const earlier = left(process.pid);
	utimesSync(earlier, twoDaysAgo, twoDaysAgo);
	await createTempFolder(parent, new FakeClock());
	expect(existsSync(earlier)).toBe(false);
});

test('what this process itself has made stays, also where another copy of Earshot has, as in Jest', async () => {
	const { parent, first, left } = await arrange();
	const ofCopy = left(process.pid);
	await createTempFolder(parent, new FakeClock());
	expect([existsSync(ofCopy), existsSync(first.path)]).toEqual([true, true]);
});

test('what belongs to a server that runs stays, however old', async () => {
	const { parent, first, left } = await arrange();
	const running = left(living().pid ?? 0);
	utimesSync(running, twoDaysAgo, twoDaysAgo);
	await createTempFolder(parent, new FakeClock());
	expect([existsSync(running), existsSync(first.path)]).toEqual([true, true]);
});

test('what belongs to a server in another container stays for a day after its last heartbeat', async () => {
	const { parent, left } = await arrange();
	const running = left(1, '00000000');
	const killed = left(2, '00000000');
	utimesSync(killed, twoDaysAgo, twoDaysAgo);
	await createTempFolder(parent, new FakeClock());
	expect([existsSync(running), existsSync(killed)]).toEqual([true, false]);
});

test('a server writes a heartbeat every hour', async () => {
	const { clock, first } = await arrange();
	utimesSync(first.path, twoDaysAgo, twoDaysAgo);
	const another = await createTempFolder(path.dirname(first.path), new FakeClock());
	clock.advance(3_600_000);
	await expect.poll(() => statSync(first.path).mtimeMs).toBeGreaterThan(twoDaysAgo.getTime());
	await Promise.all([first.remove(), another.remove()]);
	expect(clock.waiting).toBe(0);
});

test('nothing else is touched: other names, files and links', async () => {
	const { parent, left } = await arrange();
	const treasure = path.join(parent, 'treasure');
	mkdirSync(treasure);
	writeFileSync(path.join(treasure, 'file'), '');
	const model = left(deadPid());
	const link = `${model.slice(0, -6)}linked`;
	symlinkSync(treasure, link);
	const file = `${model.slice(0, -6)}file00`;
	writeFileSync(file, '');
	mkdirSync(path.join(parent, 'earshot-test-1-abcdef'));
	await createTempFolder(parent, new FakeClock());
	expect([link, file, path.join(treasure, 'file')].map((each) => existsSync(each))).toEqual([
		true,
		true,
		true,
	]);
	expect(existsSync(path.join(parent, 'earshot-test-1-abcdef'))).toBe(true);
});

test('a folder for temporary files that is not there is refused with the variable to set', async () => {
	await expect(createTempFolder('/nonexistent/folder', new FakeClock())).rejects.toMatchObject({
		code: 'config_invalid',
		message:
			'Expected the folder for temporary files to be one that this user may write to, got `/nonexistent/folder`: set TMPDIR',
	});
});
