/** The CPU time that a container may use, from the files of its control group, version 1 or 2. */

import { readFileSync } from 'node:fs';
import path from 'node:path';

/** The content of a file; undefined where it cannot be read. */
export type ReadText = (file: string) => string | undefined;

const root = '/sys/fs/cgroup';

/**
 * The CPU time that this process may use, in processors, e.g. 1.5; Infinity if it is not limited. A group is also
 * limited by its parents, so the smallest quota counts. Pure, except for `read`.
 */
export function cpuQuota(read: ReadText = readText): number {
	const groups = (read('/proc/self/cgroup') ?? '').split('\n').map((line) => line.split(':'));
	const quotas = groups.flatMap(([, controllers = '', ...place]) => {
		const folders = foldersUpFrom(place.join(':'));
		if (controllers === '') return folders.map((folder) => unifiedQuota(read, path.posix.join(root, folder)));
		if (!controllers.split(',').includes('cpu')) return [];
		// Mounted under the names of its controllers; `cpu` is a link to that.
		const mounts = [controllers, 'cpu'];
		return mounts.flatMap((mount) =>
			folders.map((folder) => legacyQuota(read, path.posix.join(root, mount, folder))),
		);
	});
	return Math.min(Infinity, ...quotas);
}

/** The number of threads to run under `quota` on `cores` cores, 1 or more. More threads would exceed the quota, and the
 * kernel would pause all of them. */
export function usableThreads(cores: number, quota: number): number {
	return Math.max(1, Math.min(cores, Math.floor(quota)));
}

/** The folder and its parents. A container may see its own group at the root, under another name than outside. */
function foldersUpFrom(folder: string): string[] {
	const parts = folder.split('/').filter((part) => part !== '' && part !== '.' && part !== '..');
	return [...parts.keys(), parts.length].map((count) => parts.slice(0, count).join('/'));
}

/** Version 2: `max 100000` or `150000 100000`. */
function unifiedQuota(read: ReadText, folder: string): number {
	const [quota, period] = (read(`${folder}/cpu.max`) ?? '').trim().split(/\s+/);
	return ratio(quota, period);
}

/** Version 1: -1 = no limit. */
function legacyQuota(read: ReadText, folder: string): number {
	return ratio(read(`${folder}/cpu.cfs_quota_us`), read(`${folder}/cpu.cfs_period_us`));
}

function ratio(quota: string | undefined, period: string | undefined): number {
	const share = Number(quota) / Number(period);
	return share > 0 ? share : Infinity;
}

function readText(file: string): string | undefined {
	try {
		return readFileSync(file, 'utf8');
	} catch {
		// Another system, or no such group.
		return undefined;
	}
}
