/**
 * Private folders in the system's temporary folder: a server's uploads, recordings from pipes and streams. The name
 * contains the id of the owning process, so that a later process can remove the folder of a killed one.
 */

import { lstat, mkdtemp, readdir, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Clock, systemClock } from '../clock.js';
import { codeOf, EarshotError } from '../errors.js';
import { hasEnded, processScope } from './process-alive.js';

export interface TempFolder {
	readonly path: string;
	/** Removes the folder and its contents. Safe to call twice. */
	remove(): Promise<void>;
}

/** `earshot-<scope>-<process id>-<random>`. */
const ownName = /^earshot-([0-9a-f]{8})-(\d+)-\w{6}$/;

const hourMs = 3_600_000;
/** A process in another container that shares the temporary folder cannot be seen; a recently changed folder shows that
 * it runs. */
const staleMs = 24 * hourMs;

/** The folders that this process has made, which are kept even if the clock makes them look old. */
const ours = new Set<string>();

/** Creates a folder that only this user can read, after removing those of processes that no longer run. Throws
 * `config_invalid`, `disk_full`, `too_many_open_files`. */
export async function createTempFolder(
	parent: string = tmpdir(),
	clock: Clock = systemClock,
): Promise<TempFolder> {
	await sweep(parent).catch(() => {
		// Folders that cannot be removed now are left to the next start; an unusable parent is reported below.
	});
	const folder = await mkdtemp(path.join(parent, `earshot-${processScope}-${process.pid}-`)).catch(
		(thrown: unknown) => {
			throw unusable(parent, thrown);
		},
	);
	ours.add(folder);
	const stop = clock.every(hourMs, () => void touch(folder).then(() => sweep(parent).catch(() => {})));
	return {
		path: folder,
		async remove() {
			stop();
			await rm(folder, { recursive: true, force: true });
			ours.delete(folder);
		},
	};
}

/** Error codes that mean that the configured folder cannot be used; other errors are rethrown. */
const faultsOfFolder = ['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM', 'EROFS', 'ENAMETOOLONG', 'ELOOP'];

function unusable(parent: string, cause: unknown): unknown {
	if (!faultsOfFolder.includes(codeOf(cause))) return cause;
	const variable = process.platform === 'win32' ? 'TEMP' : 'TMPDIR';
	return new EarshotError(
		'config_invalid',
		`Expected the folder for temporary files to be one that this user may write to, got \`${parent}\`: set ${variable}`,
		{ cause, param: variable },
	);
}

async function sweep(parent: string): Promise<void> {
	for (const name of await readdir(parent)) {
		const folder = path.join(parent, name);
		const [, itsScope, pid] = ownName.exec(name) ?? [];
		if (pid === undefined || ours.has(folder)) continue;
		const found = await lstat(folder).catch(() => undefined);
		// Only this user's folders, and no links, which other users may have put there.
		if (found?.isDirectory() !== true || found.uid !== (process.getuid?.() ?? found.uid)) continue;
		const isLeft =
			itsScope === processScope ? hasEnded(Number(pid), found.mtimeMs) : Date.now() - found.mtimeMs > staleMs;
		if (isLeft) await rm(folder, { recursive: true, force: true }).catch(() => {});
	}
}

async function touch(folder: string): Promise<void> {
	const now = new Date();
	await utimes(folder, now, now).catch(() => {
		// Removed by a cleaner of temporary files; the next recording creates it again.
	});
}
