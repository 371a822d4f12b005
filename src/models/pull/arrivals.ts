/** Obtains the parts of one model, locally if possible, else by download, and adds them up to one progress. */

import { rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { earshot } from '../../core/command-line.js';
import { realDisk } from '../../core/disk/disk.js';
import { EarshotError } from '../../core/errors.js';
import type { CatalogArchive, CatalogFile } from '../catalog/types.js';
import type { PullPlan } from '../registry/pull-plan.js';
import { digestOf, exists, linkOrCopy } from '../store/store.js';
import type { PullDeps, PullProgress, Report } from './deps.js';
import { type Downloaded, type DownloadRequest, download, type Tuning } from './download.js';
import { findInHubCache, hubFileOf } from './hub-cache.js';
import type { Network } from './network.js';

export type Part = CatalogFile | CatalogArchive;

/** Timeout for a source that cannot be reached or does not answer, while there is another source to try. */
export const fallbackTimeoutMs = 8_000;

type Expected = Pick<DownloadRequest, 'bytes' | 'maxBytes' | 'sha256'>;

export class Arrivals {
	/** Downloads whose digest was not known, by URL: pinned once the model has proved usable. */
	readonly unpinned = new Map<string, Downloaded>();
	/** Whether there is another source to try. */
	hasFallback = false;
	readonly #plan: PullPlan;
	readonly #deps: PullDeps;
	readonly #network: Network;
	readonly #report: Report;
	#parts: readonly Part[];
	#received = 0;
	#warning: string | undefined;

	constructor(plan: PullPlan, deps: PullDeps, network: Network, report: Report) {
		this.#plan = plan;
		this.#deps = deps;
		this.#network = network;
		this.#report = report;
		this.#parts = plan.archive ? [plan.archive] : plan.files;
	}

	/** Replaces the parts to obtain, as for another source. `warning`: why the previous source was abandoned. */
	expect(parts: readonly Part[], warning?: string): void {
		this.#parts = parts;
		this.#received = 0;
		this.#warning = warning ?? this.#warning;
		if (warning !== undefined) this.report('downloading', '');
	}

	/** Reports at once. `done` and `total` default to those of the downloads. */
	report(state: PullProgress['state'], file: string, done = this.#received, total = this.#total()): void {
		this.emit({ state, file, received: done, total }, true);
	}

	/** Reports progress within a state, at a limited rate. */
	step(state: PullProgress['state'], file: string, received: number, total: number | null): void {
		this.emit({ state, file, received, total }, false);
	}

	/** Adds the warning, if any. `now`: bypass the rate limit. */
	emit(progress: PullProgress, now: boolean): void {
		this.#report(this.#warning === undefined ? progress : { ...progress, warning: this.#warning }, now);
	}

	/** Obtains one part, locally if possible, else by download over `network`. */
	async obtain(name: string, part: Part, to: string, network = this.#network): Promise<Downloaded> {
		const { store, signal, repin = false } = this.#deps;
		const url = part.url ?? '';
		const pin = part.sha256 === null && !repin ? store.pinOf(url) : undefined;
		const { aboutBytes } = part;
		const expected = {
			bytes: part.bytes ?? pin?.bytes ?? null,
			sha256: part.sha256 ?? pin?.sha256 ?? null,
			...(aboutBytes === undefined ? {} : { maxBytes: 2 * aboutBytes }),
		};
		const before = this.#received;
		const progress = (received: number, total: number | null): void => {
			this.#received = before + received;
			this.step('downloading', name, this.#received, this.#total(part, total));
		};
		const found =
			(await this.#findLocally(part, expected, to)) ??
			(await this.#fetch(url, expected, to, progress, network, pin !== undefined));
		this.#received = before + found.bytes;
		signal.throwIfAborted();
		if (part.sha256 === null) this.unpinned.set(url, found);
		return found;
	}

	async #fetch(
		url: string,
		expected: Expected,
		to: string,
		onProgress: (received: number, total: number | null) => void,
		network: Network,
		pinned: boolean,
	): Promise<Downloaded> {
		const { disk = realDisk, signal, wait } = this.#deps;
		const deps = { network, disk, signal, onProgress, tuning: this.#tuning(), ...(wait ? { wait } : {}) };
		try {
			return await download({ url, to, ...expected }, deps);
		} catch (thrown) {
			if (!pinned || !(thrown instanceof EarshotError) || thrown.code !== 'download_corrupt') throw thrown;
			throw new EarshotError(
				'download_corrupt',
				`${thrown.message}. It differs from the first pull; if its publisher replaced it on purpose: ${earshot(`pull ${this.#plan.id} --repin`)}`,
				{ cause: thrown },
			);
		}
	}

	#tuning(): Partial<Tuning> {
		const { tuning = {} } = this.#deps;
		if (!this.hasFallback) return tuning;
		const windowMs = Math.min(tuning.windowMs ?? fallbackTimeoutMs, fallbackTimeoutMs);
		return { ...tuning, attempts: Math.min(tuning.attempts ?? 3, 3), attemptsAtFirst: 1, windowMs };
	}

	/** From an interrupted pull, an intact file of a damaged model, or the Hugging Face cache. */
	async #findLocally(part: Part, { bytes, sha256 }: Expected, to: string): Promise<Downloaded | undefined> {
		const { store, settings, signal } = this.#deps;
		if (await exists(to)) {
			const local = { bytes: (await stat(to)).size, sha256: await digestOf(to, signal) };
			if (sha256 === null || local.sha256 === sha256) return local;
			await rm(to, { force: true });
		}
		if (sha256 === null) return undefined;
		const hub = hubFileOf(part.url ?? '');
		const places = [
			'path' in part ? path.join(store.folderOf(this.#plan), part.path) : undefined,
			hub && (await findInHubCache(settings.hubCache, hub)),
		];
		for (const place of places) {
			if (place === undefined || !(await exists(place))) continue;
			const { size } = await stat(place);
			if ((bytes !== null && size !== bytes) || (await digestOf(place, signal)) !== sha256) continue;
			await linkOrCopy(place, to);
			return { bytes: size, sha256 };
		}
		return undefined;
	}

	/** Bytes of all parts; `declared` is what the server says of `part`. */
	#total(part?: Part, declared: number | null = null): number | null {
		return this.#parts.reduce<number | null>((sum, each) => {
			const size = each === part && declared !== null ? declared : (each.bytes ?? each.aboutBytes ?? null);
			return sum === null || size === null ? null : sum + size;
		}, 0);
	}
}
