/** Downloads one model into a temporary folder, verifies it, then moves it into place in one step. */

import { readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { diskFailure, makeFolder, realDisk, renameOver } from '../../core/disk/disk.js';
import { type Lock, takeLock } from '../../core/disk/lock.js';
import { EarshotError } from '../../core/errors.js';
import { unpack } from '../archive/archive.js';
import type { CatalogArchive, CatalogFile } from '../catalog/types.js';
import { bytesOnDisk, type PullPlan } from '../registry/pull-plan.js';
import { checkSpace } from '../store/disk-space.js';
import { digestOf, exists, filesBelow, type Manifest, type StoredFile } from '../store/store.js';
import { rolesIn } from '../types/identify.js';
import { Arrivals, fallbackTimeoutMs } from './arrivals.js';
import type { PullDeps, PullProgress, Report } from './deps.js';
import { checkEndpoint, type Network, openNetwork } from './network.js';
import { obtainFromSources, type SourceDeps } from './sources.js';

/** Minimum time between progress reports. */
const reportEveryMs = 100;

/** Ends with the progress `done`. Throws `download_failed`, `download_corrupt`, `disk_full`, `config_invalid`, `cancelled`. */
export async function* pull(plan: PullPlan, deps: PullDeps): AsyncGenerator<PullProgress> {
	const { store, signal } = deps;
	const installed = store.manifest(plan.id);
	if (installed && store.stateOf(installed) === 'whole') {
		yield doneWith(installed);
		return;
	}
	try {
		await makeFolder(store.modelDir);
	} catch (thrown) {
		throw diskFailure(thrown, store.modelDir) ?? thrown;
	}
	const lockPath = await store.lockPath(plan.id);
	let lock: Lock | undefined;
	yield* during<PullProgress>(async (report, left) => {
		lock = await takeLock(lockPath, AbortSignal.any([signal, left]), () =>
			report({ state: 'waiting', file: '', received: 0, total: null }, true),
		);
	});
	if (lock === undefined) return;
	try {
		yield* locked(plan, { ...deps, signal: AbortSignal.any([signal, lock.lost]) });
	} finally {
		await lock.release();
	}
}

async function* locked(plan: PullPlan, deps: PullDeps): AsyncGenerator<PullProgress> {
	const { store, settings } = deps;
	// The process that held the lock may have installed it.
	const installed = store.manifest(plan.id);
	if (installed && store.stateOf(installed) === 'whole') {
		yield doneWith(installed);
		return;
	}
	checkEndpoint(settings);
	const incoming = await store.incoming(plan.id);
	await checkSpace(plan.id, bytesOnDisk(plan), store, deps.disk ?? realDisk, incoming);
	const waitTimeoutMs = plan.sources.length > 0 ? fallbackTimeoutMs : undefined;
	const network = await openNetwork(settings, deps.tuning?.windowMs ?? waitTimeoutMs);
	try {
		yield* during<PullProgress>((report, left) => {
			const signal = AbortSignal.any([deps.signal, left]);
			return new Pulling(plan, { ...deps, signal }, network, incoming, report).run();
		});
	} finally {
		await network.close();
	}
}

function doneWith(manifest: Manifest): PullProgress {
	const bytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0);
	return { state: 'done', file: '', received: bytes, total: bytes, manifest };
}

class Pulling {
	readonly #plan: PullPlan;
	readonly #deps: PullDeps;
	/** Holds the downloads, and `model`, which becomes the model's folder. */
	readonly #incoming: string;
	readonly #arrivals: Arrivals;
	readonly #network: Network;

	constructor(plan: PullPlan, deps: PullDeps, network: Network, incoming: string, report: Report) {
		this.#plan = plan;
		this.#deps = deps;
		this.#incoming = incoming;
		this.#network = network;
		this.#arrivals = new Arrivals(plan, deps, network, report);
	}

	async run(): Promise<void> {
		const { archive, files } = this.#plan;
		const folder = path.join(this.#incoming, 'model');
		const stored = archive ? await this.#fromArchive(archive, folder) : await this.#fromFiles(files, folder);
		const manifest = await this.#discarding(() => this.#manifest(folder, stored));
		// An earlier attempt with another plan may have left other files.
		const kept = new Set(stored.map((file) => file.path));
		for (const file of await filesBelow(folder)) if (!kept.has(file)) await rm(path.join(folder, file));
		await this.#pin();
		await this.#deps.store.arrive(manifest, folder);
		await rm(this.#incoming, { recursive: true, force: true });
		this.#arrivals.emit(doneWith(manifest), true);
	}

	async #fromFiles(files: readonly CatalogFile[], folder: string): Promise<readonly StoredFile[]> {
		const { sources } = this.#plan;
		const stored: StoredFile[] = [];
		for (const file of files) {
			const to = path.join(folder, file.path);
			await makeFolder(path.dirname(to));
			const { bytes, sha256 } =
				sources.length > 0
					? await obtainFromSources(file, sources, to, this.#sourceDeps())
					: await this.#arrivals.obtain(file.path, file, to);
			stored.push({ path: file.path, bytes, sha256, pinned: file.sha256 === null });
		}
		return stored;
	}

	#sourceDeps(): SourceDeps {
		const incoming = this.#incoming;
		const { store, disk = realDisk } = this.#deps;
		const checkOf = (bytes: number) => checkSpace(this.#plan.id, bytes, store, disk, incoming);
		return { ...this.#deps, arrivals: this.#arrivals, incoming, checkSpace: checkOf };
	}

	async #fromArchive(archive: CatalogArchive, folder: string): Promise<readonly StoredFile[]> {
		const name = path.posix.basename(new URL(archive.url).pathname);
		const packed = path.join(this.#incoming, 'archive');
		const { bytes } = await this.#arrivals.obtain(name, archive, packed);
		this.#arrivals.report('unpacking', name, bytes, bytes);
		// The archive stays until the model is in its place, so that an interrupted pull need not fetch it again.
		return await this.#discarding(() => this.#unpacked(archive, packed, folder));
	}

	/** Deletes the download if `work` finds it corrupt, so that the next pull starts afresh. */
	async #discarding<T>(work: () => Promise<T>): Promise<T> {
		try {
			return await work();
		} catch (thrown) {
			if (thrown instanceof EarshotError && thrown.code === 'download_corrupt')
				await rm(this.#incoming, { recursive: true, force: true });
			throw thrown;
		}
	}

	async #unpacked(archive: CatalogArchive, packed: string, folder: string): Promise<readonly StoredFile[]> {
		const { signal } = this.#deps;
		const unpacked = path.join(this.#incoming, 'unpacked');
		// Files left by an interrupted attempt cannot be trusted.
		await rm(unpacked, { recursive: true, force: true });
		await rm(folder, { recursive: true, force: true });
		await makeFolder(unpacked);
		await unpack(packed, unpacked, signal);
		const from = this.#network.locate(archive.url);
		await renameOver(await innerFolder(unpacked, archive.subdir, from), folder);
		const known = new Map(this.#plan.files.map((file) => [file.path, file]));
		const stored: StoredFile[] = [];
		for (const file of await filesBelow(folder)) {
			const sha256 = await digestOf(path.join(folder, file), signal);
			const { size } = await stat(path.join(folder, file));
			const listed = known.get(file);
			if (listed && listed.sha256 !== null && listed.sha256 !== sha256) {
				throw new EarshotError(
					'download_corrupt',
					`${file} in ${from} has the SHA-256 ${sha256} instead of ${listed.sha256}. Nothing of it is kept; the source or the mirror is at fault`,
				);
			}
			stored.push({ path: file, bytes: size, sha256, pinned: archive.sha256 === null && !listed?.sha256 });
		}
		return stored;
	}

	async #pin(): Promise<void> {
		const { store, signal } = this.#deps;
		const { unpinned } = this.#arrivals;
		if (unpinned.size === 0) return;
		const lock = await takeLock(await store.lockPath('pins'), signal);
		try {
			for (const [url, found] of unpinned) await store.pin(url, found);
		} finally {
			await lock.release();
		}
	}

	async #manifest(folder: string, files: readonly StoredFile[]): Promise<Manifest> {
		const { id, type, use, licence } = this.#plan;
		const roles = this.#plan.roles ?? (await this.#rolesIn(folder));
		for (const [role, file] of Object.entries(roles)) {
			if (await exists(path.join(folder, file))) continue;
			throw new EarshotError(
				'download_corrupt',
				`the download of ${id} has no ${file}, its ${role}; the source is at fault, or \`files\` in models.yaml`,
			);
		}
		return {
			id,
			folder: this.#plan.folder,
			files,
			roles,
			type,
			use,
			licence: licence?.name ?? '',
			pulledAt: new Date().toISOString(),
		};
	}

	async #rolesIn(folder: string): Promise<Readonly<Record<string, string>>> {
		const { type, use } = this.#plan;
		// Models of other uses are not served yet, so their files need no roles.
		if (use !== 'transcription') return {};
		try {
			return await rolesIn(folder, type);
		} catch (cause) {
			const why = cause instanceof Error ? cause.message : String(cause);
			throw new EarshotError('download_corrupt', why, { cause });
		}
	}
}

/** The folder of the model in an unpacked archive. `from`: its URL, for messages. */
async function innerFolder(unpacked: string, subdir: string, from: string): Promise<string> {
	const names = await readdir(unpacked);
	if (subdir !== '') {
		const inner = path.join(unpacked, subdir);
		if (await exists(inner)) return inner;
		throw new EarshotError(
			'download_corrupt',
			`${from} has no folder ${subdir}; it contains ${names.join(', ')}`,
		);
	}
	const [only] = names;
	const alone = only === undefined ? undefined : path.join(unpacked, only);
	return names.length === 1 && alone !== undefined && (await stat(alone)).isDirectory() ? alone : unpacked;
}

/** Yields what `work` reports, at most every `reportEveryMs` but always the last report, then ends or throws as `work`
 * does. Leaving the loop aborts the work. */
async function* during<T>(
	work: (report: (item: T, now?: boolean) => void, left: AbortSignal) => Promise<void>,
): AsyncGenerator<T> {
	const left = new AbortController();
	let waiting: T[] = [];
	let latest: T | undefined;
	let reportedAt = Number.NEGATIVE_INFINITY;
	let ended = false;
	let wake = (): void => {};
	const report = (item: T, now = false): void => {
		latest = item;
		if (!now && performance.now() - reportedAt < reportEveryMs) return;
		reportedAt = performance.now();
		latest = undefined;
		waiting.push(item);
		wake();
	};
	const running = work(report, left.signal);
	const settled = Promise.allSettled([running]).then(() => {
		ended = true;
	});
	try {
		while (!ended) {
			const items = waiting;
			waiting = [];
			yield* items;
			if (waiting.length === 0 && !ended)
				await Promise.race([settled, new Promise<void>((resolve) => (wake = resolve))]);
		}
		yield* waiting;
		if (latest !== undefined) yield latest;
		await running;
	} finally {
		left.abort();
		await settled;
	}
}
