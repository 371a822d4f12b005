/**
 * The pulled models on disk: a folder per model below the model folder, and a manifest of its files. A manifest is
 * written last and removed first, so that an incomplete model is never listed.
 */

import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { access, constants, copyFile, link, readdir, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { makeFolder, renameOver } from '../../core/disk/disk.js';
import { isInnerPath } from '../../core/disk/inner-path.js';
import { EarshotError } from '../../core/errors.js';

export interface StoredFile {
	/** Below the model's folder, with forward slashes. */
	readonly path: string;
	readonly bytes: number;
	readonly sha256: string;
	/** The digest was not known in advance and was taken from the first download. */
	readonly pinned: boolean;
}

export interface Manifest {
	readonly id: string;
	/** Below the model folder. */
	readonly folder: string;
	readonly files: readonly StoredFile[];
	/** Role → path below the folder. */
	readonly roles: Readonly<Record<string, string>>;
	readonly type: string;
	readonly use: string;
	readonly licence: string;
	/** ISO date. */
	readonly pulledAt: string;
	/** The user's folder that it was converted from; absent if it was downloaded. */
	readonly madeOf?: string;
}

export type StoredState = 'whole' | 'damaged' | 'missing';

export interface Verified {
	readonly path: string;
	readonly ok: boolean;
	/** What is wrong; '' if nothing. */
	readonly detail: string;
}

export interface Pin {
	readonly bytes: number;
	readonly sha256: string;
}

export class Store {
	readonly modelDir: string;
	readonly #own: string;

	constructor(modelDir: string) {
		this.modelDir = modelDir;
		this.#own = path.join(modelDir, '.earshot');
	}

	/** All models that were pulled, even if their files have been damaged since. */
	manifests(): readonly Manifest[] {
		return namesIn(this.#manifests)
			.filter((name) => name.endsWith('.json'))
			.flatMap((name) => this.#read(path.join(this.#manifests, name)) ?? []);
	}

	manifest(id: string): Manifest | undefined {
		return this.#read(this.#manifestPath(id));
	}

	/** Whether the model was pulled, or a pull of it has begun. */
	knows(id: string): boolean {
		return this.manifest(id) !== undefined || existsSync(this.#incoming(id));
	}

	folderOf({ folder }: Pick<Manifest, 'folder'>): string {
		return path.join(this.modelDir, folder);
	}

	/** Compares names and sizes only, which is cheap enough before every load. */
	stateOf(manifest: Manifest): StoredState {
		const sizes = manifest.files.map(
			(file) => statSync(path.join(this.folderOf(manifest), file.path), { throwIfNoEntry: false })?.size,
		);
		if (sizes.every((size) => size === undefined)) return 'missing';
		return manifest.files.every(({ bytes }, index) => sizes[index] === bytes) ? 'whole' : 'damaged';
	}

	/** Compares sizes and digests, reading every byte. */
	async verify(
		manifest: Manifest,
		signal: AbortSignal,
		onProgress?: (bytes: number) => void,
	): Promise<readonly Verified[]> {
		const verified: Verified[] = [];
		let before = 0;
		for (const { path: name, bytes, sha256 } of manifest.files) {
			const file = path.join(this.folderOf(manifest), name);
			const size = (await stat(file).catch(() => undefined))?.size;
			const start = before;
			const digest =
				size === bytes ? await digestOf(file, signal, (read) => onProgress?.(start + read)) : undefined;
			const detail =
				size === undefined
					? 'missing'
					: size !== bytes
						? `has ${size} bytes instead of ${bytes}`
						: digest === sha256
							? ''
							: `has the SHA-256 ${digest} instead of ${sha256}`;
			verified.push({ path: name, ok: detail === '', detail });
			before += bytes;
		}
		return verified;
	}

	/** The folder for the model's downloads; kept until the model is complete, so that a pull can resume. */
	async incoming(id: string): Promise<string> {
		const folder = this.#incoming(id);
		await makeFolder(folder);
		return folder;
	}

	/** The path of the lock with that name. */
	async lockPath(name: string): Promise<string> {
		const folder = path.join(this.#own, 'locks');
		await makeFolder(folder);
		return path.join(folder, placeOf(name));
	}

	/** Installs a model. `from`: a folder on the same disk with the manifest's files, which becomes the model's folder. */
	async arrive(manifest: Manifest, from: string): Promise<void> {
		const to = this.folderOf(manifest);
		const earlier = this.manifest(manifest.id);
		// The model must not be listed while its files change.
		await rm(this.#manifestPath(manifest.id), { force: true });
		if (earlier) await this.#removeFiles(earlier);
		await makeFolder(path.dirname(to));
		if (await exists(to)) {
			for (const { path: name } of manifest.files) {
				await makeFolder(path.dirname(path.join(to, name)));
				await renameOver(path.join(from, name), path.join(to, name));
			}
			await rm(from, { recursive: true, force: true });
		} else {
			await renameOver(from, to);
		}
		await writeWhole(this.#manifestPath(manifest.id), JSON.stringify(manifest, null, '\t'));
	}

	/** Removes the model's files, folders left empty, and the remains of an interrupted pull. Returns whether there was
	 * anything to remove. */
	async remove(id: string): Promise<boolean> {
		const manifest = this.manifest(id);
		await rm(this.#manifestPath(id), { force: true });
		const begun = await exists(this.#incoming(id));
		await rm(this.#incoming(id), { recursive: true, force: true });
		if (manifest) await this.#removeFiles(manifest);
		return manifest !== undefined || begun;
	}

	pinOf(url: string): Pin | undefined {
		return this.#pins()[url];
	}

	/** The caller holds the lock named `pins`. */
	async pin(url: string, pin: Pin): Promise<void> {
		await writeWhole(this.#pinsPath, JSON.stringify({ ...this.#pins(), [url]: pin }, null, '\t'));
	}

	get #manifests(): string {
		return path.join(this.#own, 'models');
	}

	get #pinsPath(): string {
		return path.join(this.#own, 'pins.json');
	}

	#incoming(id: string): string {
		return path.join(this.#own, 'incoming', placeOf(id));
	}

	#manifestPath(id: string): string {
		return path.join(this.#manifests, `${placeOf(id)}.json`);
	}

	#pins(): Record<string, Pin> {
		return (readJson(this.#pinsPath) as Record<string, Pin> | undefined) ?? {};
	}

	#read(file: string): Manifest | undefined {
		const manifest = readJson(file) as Manifest | undefined;
		// A manifest decides which files are deleted, so one with paths outside the folder is ignored.
		const sound =
			manifest !== undefined &&
			isInnerPath(manifest.folder) &&
			manifest.files.every(({ path: name }) => isInnerPath(name));
		return sound ? manifest : undefined;
	}

	async #removeFiles(manifest: Manifest): Promise<void> {
		const folder = this.folderOf(manifest);
		for (const { path: name } of manifest.files) await rm(path.join(folder, name), { force: true });
		const folders = new Set(manifest.files.map(({ path: name }) => path.dirname(path.join(folder, name))));
		for (const each of [...folders].sort((a, b) => b.length - a.length)) await this.#prune(each);
	}

	/** Removes the folder and its parents while they are empty. */
	async #prune(folder: string): Promise<void> {
		for (let at = folder; at.startsWith(`${this.modelDir}${path.sep}`); at = path.dirname(at)) {
			try {
				await rmdir(at);
			} catch {
				// Not empty, or already removed.
				return;
			}
		}
	}
}

/** A file name for an id: a single part of a path, safe for any id. Pure. */
export function placeOf(id: string): string {
	return encodeURIComponent(id).replace(/^\.+$/, (dots) => '%2E'.repeat(dots.length)) || '%';
}

export async function exists(file: string): Promise<boolean> {
	return await access(file).then(
		() => true,
		() => false,
	);
}

/** Relative paths of all files below, with forward slashes. */
export async function filesBelow(folder: string): Promise<string[]> {
	const entries = await readdir(folder, { recursive: true, withFileTypes: true });
	return entries
		.filter((entry) => entry.isFile())
		.map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)).replaceAll(path.sep, '/'))
		.sort();
}

export async function digestOf(
	file: string,
	signal: AbortSignal,
	onProgress?: (bytes: number) => void,
): Promise<string> {
	const hash = createHash('sha256');
	let bytes = 0;
	try {
		for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20, signal })) {
			hash.update(chunk as Uint8Array);
			bytes += (chunk as Uint8Array).length;
			onProgress?.(bytes);
		}
	} catch (thrown) {
		if (!signal.aborted) throw thrown;
		throw new EarshotError('cancelled', 'the check was cancelled', { cause: thrown });
	}
	return hash.digest('hex');
}

/** A hard link where the file system supports it, else a copy. */
export async function linkOrCopy(from: string, to: string): Promise<void> {
	await rm(to, { force: true });
	try {
		await link(from, to);
	} catch {
		await copyFile(from, to, constants.COPYFILE_FICLONE);
	}
}

/** Replaces the file atomically: readers see the old text or the new. */
export async function writeWhole(file: string, text: string): Promise<void> {
	await makeFolder(path.dirname(file));
	const fresh = `${file}.${process.pid}.new`;
	await writeFile(fresh, text);
	await renameOver(fresh, file);
}

function namesIn(folder: string): string[] {
	try {
		return readdirSync(folder);
	} catch {
		// Nothing has been pulled yet.
		return [];
	}
}

function readJson(file: string): unknown {
	try {
		return JSON.parse(readFileSync(file, 'utf8'));
	} catch {
		// Absent or invalid.
		return undefined;
	}
}
