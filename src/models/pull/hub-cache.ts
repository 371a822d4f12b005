/** Finds files in the Hugging Face cache, which other programs on this machine fill. Read-only. */

import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import path from 'node:path';

export interface HubFile {
	/** `org/name`. */
	readonly repo: string;
	readonly revision: string;
	readonly path: string;
}

/** The parts of a URL of the hub; undefined for any other. Pure. */
export function hubFileOf(url: string): HubFile | undefined {
	const [, repo, revision, file] =
		/^https:\/\/huggingface\.co\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(url) ?? [];
	if (repo === undefined || revision === undefined || file === undefined) return undefined;
	return { repo, revision, path: file };
}

/** The file's path in the cache; undefined if the cache does not have it. */
export async function findInHubCache(
	cache: string,
	{ repo, revision, path: file }: HubFile,
): Promise<string | undefined> {
	const snapshot = await snapshotOf(cache, repo, revision);
	if (snapshot === undefined) return undefined;
	// Snapshots are links to blobs; a dangling link means an incomplete download.
	return await realpath(path.join(snapshot, file)).catch(() => undefined);
}

/** The folder of the newest revision in the cache. */
export async function findRepoInHubCache(cache: string, repo: string): Promise<string | undefined> {
	return await newestSnapshot(path.join(cache, `models--${repo.replace('/', '--')}`));
}

/** The newest snapshot in a repository's cache folder (`models--org--name`); undefined for other folders. */
export async function newestSnapshot(repoFolder: string): Promise<string | undefined> {
	const folder = path.join(repoFolder, 'snapshots');
	const names = await readdir(folder).catch(() => []);
	const found = await Promise.all(
		names.map(async (name) => ({ name, info: await stat(path.join(folder, name)).catch(() => undefined) })),
	);
	// Other programs may have put files of their own into the folder.
	const dated = found.flatMap(({ name, info }) =>
		info?.isDirectory() === true ? { name, at: info.mtimeMs } : [],
	);
	const newest = dated.sort((a, b) => b.at - a.at)[0];
	return newest && path.join(folder, newest.name);
}

/** The repository's name for a cache folder or a snapshot in it; else the folder's own name. Pure. */
export function nameOfFolder(folder: string): string {
	const repo = /(?:^|[/\\])models--[^/\\]*?--([^/\\]+)(?:[/\\]snapshots[/\\][^/\\]+)?$/.exec(folder)?.[1];
	return repo ?? path.basename(folder);
}

async function snapshotOf(cache: string, repo: string, revision: string): Promise<string | undefined> {
	const folder = path.join(cache, `models--${repo.replace('/', '--')}`);
	const named = await readFile(path.join(folder, 'refs', revision), 'utf8').catch(() => revision);
	const snapshot = path.join(folder, 'snapshots', named.trim());
	return (await stat(snapshot).catch(() => undefined))?.isDirectory() === true ? snapshot : undefined;
}
