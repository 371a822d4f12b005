/** The parts of one model as they come: from wherever they are already, else over the line, counted as one progress. */

import { rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { realDisk } from '../../disk/disk.js';
import { EarshotError } from '../../errors.js';
import type { CatalogArchive, CatalogFile } from '../catalog/types.js';
import { digestOf, exists, linkOrCopy } from '../store/store.js';
import type { PullDeps, PullProgress, Report } from './deps.js';
import { type Downloaded, download, type Tuning } from './download.js';
import { findInHubCache, hubFileOf } from './hub-cache.js';
import type { Network } from './network.js';
import type { PullPlan } from './plan.js';

export type Part = CatalogFile | CatalogArchive;

/** While another source is left: one that cannot be reached, or does not answer, is given up soon. */
export const hurriedMs = 8_000;

interface Wanted {
	readonly bytes: number | null;
	readonly sha256: string | null;
}

export class Arrivals {
	/** What came of URLs whose digest nobody told: to be pinned once the model is found to be one. */
	readonly untold = new Map<string, Downloaded>();
	/** Another source is left. */
	isHurried = false;
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

	/** What is to come is something else from now on. `warning`: why. */
	expect(parts: readonly Part[], warning?: string): void {
		this.#parts = parts;
		this.#received = 0;
		this.#warning = warning ?? this.#warning;
		if (warning !== undefined) this.report('downloading', '');
	}

	/** At once. `done` and `total` are of what has come where they are not given. */
	report(state: PullProgress['state'], file: string, done = this.#received, total = this.#total()): void {
		this.tell({ state, file, received: done, total }, true);
	}

	/** With a step of something that takes a while. */
	step(state: PullProgress['state'], file: string, received: number, total: number | null): void {
		this.tell({ state, file, received, total }, false);
	}

	/** With the warning, once there is one. `now`: not only if it has been quiet for a while. */
	tell(progress: PullProgress, now: boolean): void {
		this.#report(this.#warning === undefined ? progress : { ...progress, warning: this.#warning }, now);
	}

	/** From wherever it is already, else from the network. `network`: of its own for this part. */
	async bring(name: string, part: Part, to: string, network = this.#network): Promise<Downloaded> {
		const { store, signal, repin = false } = this.#deps;
		const url = part.url ?? '';
		const pin = part.sha256 === null && !repin ? store.pinOf(url) : undefined;
		const wanted = { bytes: part.bytes ?? pin?.bytes ?? null, sha256: part.sha256 ?? pin?.sha256 ?? null };
		const before = this.#received;
		const progress = (received: number, total: number | null): void => {
			this.#received = before + received;
			this.step('downloading', name, this.#received, this.#total(part, total));
		};
		const found =
			(await this.#alreadyHere(part, wanted, to)) ??
			(await this.#fetch(url, wanted, to, progress, network, pin !== undefined));
		this.#received = before + found.bytes;
		signal.throwIfAborted();
		if (part.sha256 === null) this.untold.set(url, found);
		return found;
	}

	async #fetch(
		url: string,
		wanted: Wanted,
		to: string,
		onProgress: (received: number, total: number | null) => void,
		network: Network,
		pinned: boolean,
	): Promise<Downloaded> {
		const { disk = realDisk, signal, wait } = this.#deps;
		const deps = { network, disk, signal, onProgress, tuning: this.#tuning(), ...(wait ? { wait } : {}) };
		try {
			return await download({ url, to, ...wanted }, deps);
		} catch (thrown) {
			if (!pinned || !(thrown instanceof EarshotError) || thrown.code !== 'download_corrupt') throw thrown;
			throw new EarshotError(
				'download_corrupt',
				`${thrown.message}. It is not what came the first time; where its publisher has replaced it on purpose: earshot pull ${this.#plan.id} --repin`,
				{ cause: thrown },
			);
		}
	}

	#tuning(): Partial<Tuning> {
		const { tuning = {} } = this.#deps;
		if (!this.isHurried) return tuning;
		const windowMs = Math.min(tuning.windowMs ?? hurriedMs, hurriedMs);
		return { ...tuning, attempts: Math.min(tuning.attempts ?? 3, 3), attemptsAtFirst: 1, windowMs };
	}

	/** Left by an interrupted pull, or whole in a damaged model, or in the cache of other programs. */
	async #alreadyHere(part: Part, { bytes, sha256 }: Wanted, to: string): Promise<Downloaded | undefined> {
		const { store, settings, signal } = this.#deps;
		if (await exists(to)) {
			const here = { bytes: (await stat(to)).size, sha256: await digestOf(to, signal) };
			if (sha256 === null || here.sha256 === sha256) return here;
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

	/** Of everything, with what the server says of the part at hand. */
	#total(part?: Part, told: number | null = null): number | null {
		return this.#parts.reduce<number | null>((sum, each) => {
			const size = each === part && told !== null ? told : (each.bytes ?? each.aboutBytes ?? null);
			return sum === null || size === null ? null : sum + size;
		}, 0);
	}
}
