/**
 * The private folder of a server's uploads, in the system's temporary folder. Its name says which process owns it, so
 * that the next server can remove what a killed one has left.
 */

import { createHash } from 'node:crypto';
import { readlinkSync } from 'node:fs';
import { lstat, mkdtemp, readdir, rm, utimes } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import path from 'node:path';
import { type Clock, systemClock } from '../../clock.js';
import { isAlive } from '../../disk/process-alive.js';
import { EarshotError } from '../../errors.js';

export interface UploadDirectory {
	readonly path: string;
	/** Removes it with all that is in it. Safe to call twice. */
	remove(): Promise<void>;
}

/** `earshot-<scope>-<process id>-<random>`. */
const ownName = /^earshot-([0-9a-f]{8})-(\d+)-\w{6}$/;

const hourMs = 3_600_000;
/** In another container with the same temporary folder a process cannot be seen; its folder's time says that it runs. */
const staleMs = 24 * hourMs;

/** Folders of servers in this process. */
const ours = new Set<string>();

/** Creates the folder, after removing those of servers that no longer run. Throws `config_invalid`. */
export async function createUploadDirectory(
	parent = tmpdir(),
	clock: Clock = systemClock,
): Promise<UploadDirectory> {
	await sweep(parent).catch(() => {
		// What cannot be swept now is left to the next start; a folder that cannot be used is reported below.
	});
	let directory: string;
	try {
		directory = await mkdtemp(path.join(parent, `earshot-${scope}-${process.pid}-`));
	} catch (cause) {
		const variable = process.platform === 'win32' ? 'TEMP' : 'TMPDIR';
		throw new EarshotError(
			'config_invalid',
			`Expected the folder for temporary files to be one that this user may write to, got \`${parent}\`: set ${variable}`,
			{ cause, param: variable },
		);
	}
	ours.add(directory);
	const stop = clock.every(hourMs, () => void touch(directory).then(() => sweep(parent).catch(() => {})));
	return {
		path: directory,
		async remove() {
			stop();
			await rm(directory, { recursive: true, force: true });
			ours.delete(directory);
		},
	};
}

/** Processes with the same one can see each other: those of one container, or of one machine outside of any. */
const scope = createHash('sha256').update(`${hostname()} ${pidNamespace()}`).digest('hex').slice(0, 8);

function pidNamespace(): string {
	try {
		return readlinkSync('/proc/self/ns/pid');
	} catch {
		// Not Linux.
		return '';
	}
}

async function sweep(parent: string): Promise<void> {
	for (const name of await readdir(parent)) {
		const directory = path.join(parent, name);
		const [, itsScope, pid] = ownName.exec(name) ?? [];
		if (pid === undefined || ours.has(directory)) continue;
		const found = await lstat(directory).catch(() => undefined);
		// Only folders of this user, and no links, which others may have put there.
		if (found?.isDirectory() !== true || found.uid !== (process.getuid?.() ?? found.uid)) continue;
		const isLeft = itsScope === scope ? isGone(Number(pid)) : Date.now() - found.mtimeMs > staleMs;
		if (isLeft) await rm(directory, { recursive: true, force: true }).catch(() => {});
	}
}

/** A container's server often has the same process id each time; this process's own folders are known. */
function isGone(pid: number): boolean {
	return pid === process.pid || !isAlive(pid);
}

async function touch(directory: string): Promise<void> {
	const now = new Date();
	await utimes(directory, now, now).catch(() => {
		// Removed by a cleaner of temporary files; the next upload creates it again.
	});
}
