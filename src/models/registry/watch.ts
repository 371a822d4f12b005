/** The served models, reloaded when models.yaml changes. */

import { type FSWatcher, readFileSync, unwatchFile, watch, watchFile } from 'node:fs';
import path from 'node:path';
import type { SettingTexts } from '../../core/config/settings.js';
import { asEarshotError } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import type { ModelEntry } from './entry.js';
import { canBePulled } from './pull-plan.js';
import { findEntry, isInstalled, loadRegistry, type ModelRegistry, missing } from './registry.js';

/** The served models as the pool sees them. */
export interface ServedModels {
	readonly entries: readonly ModelEntry[];
	/** Models shown to clients. A configured model that is not installed but can be pulled is left out, unless auto-pull
	 * is on. */
	readonly listed: readonly ModelEntry[];
	/** Used when a request names no model. */
	readonly defaultModel: string;
	/** Id of the diarization model; undefined if none is installed. */
	readonly diarizer: string | undefined;
	/** Throws `model_not_found`, whose message names a remedy. */
	find(idOrAlias: string): ModelEntry;
	/** Why the model cannot be loaded, apart from errors of its engine; undefined if it can. */
	absence(id: string): 'mistake' | 'missing' | undefined;
	/** Resolves when the model's files are installed; may download them. Throws `model_not_found`. */
	ready(entry: ModelEntry, signal: AbortSignal): Promise<void>;
	/** `listener` is called after entries were added, removed or changed. */
	onChange(listener: () => void): void;
}

export interface RegistryWatcherOptions {
	readonly flags: SettingTexts;
	readonly packageRoot: string;
	readonly log: Log;
	/** Downloads a missing model (auto-pull); absent = off. */
	readonly fetch?: (entry: ModelEntry, signal: AbortSignal) => Promise<void>;
}

/** Wait after a change, since editors write a file in several steps. */
const settleMs = 150;
/** Polling interval, for file systems that do not report changes, such as mounted folders. */
const pollMs = 5_000;

export class RegistryWatcher implements ServedModels {
	readonly #options: RegistryWatcherOptions;
	readonly #listeners: (() => void)[] = [];
	#now: ModelRegistry;
	#text: string;
	#watcher: FSWatcher | undefined;
	#settling: NodeJS.Timeout | undefined;

	/** Throws `config_invalid`, so that a server does not start with a mistake. */
	constructor(options: RegistryWatcherOptions) {
		this.#options = options;
		this.#now = loadRegistry(options.flags, options.packageRoot);
		this.#text = this.#read();
	}

	/** The current registry; its `config` is that of the server's start. */
	get now(): ModelRegistry {
		return this.#now;
	}

	get entries(): readonly ModelEntry[] {
		return this.#now.entries;
	}

	get listed(): readonly ModelEntry[] {
		return this.#options.fetch ? this.entries : listedOf(this.#now);
	}

	get defaultModel(): string {
		return this.#now.defaultModel;
	}

	get diarizer(): string | undefined {
		return this.#now.diarizer;
	}

	find(idOrAlias: string): ModelEntry {
		return findEntry(this.#now, idOrAlias);
	}

	absence(id: string): 'mistake' | 'missing' | undefined {
		return absenceIn(this.#now, id, this.#options.fetch !== undefined);
	}

	async ready(entry: ModelEntry, signal: AbortSignal): Promise<void> {
		if (isInstalled(entry) || !canBePulled(entry, this.#now)) return;
		if (!this.#options.fetch) throw missing(entry.id);
		await this.#options.fetch(entry, signal);
	}

	onChange(listener: () => void): void {
		this.#listeners.push(listener);
	}

	/** Reads models.yaml again. Mistakes are logged: a mistaken entry stays as it was before, and after a mistake
	 * elsewhere the previous registry stays in use. */
	reload(): void {
		const { flags, packageRoot, log } = this.#options;
		this.#text = this.#read();
		try {
			const before = this.#now;
			const next = loadRegistry(flags, packageRoot, before.own);
			for (const warning of next.warnings) log.warn({}, warning);
			for (const { id, message } of next.problems) {
				const kept = next.own.some((entry) => entry.id === id) ? '; it is served as it was before' : '';
				log.error({ model: id, code: 'config_invalid' }, `${message}${kept}`);
			}
			this.#now = { ...next, config: before.config };
			const ids = next.entries.map(({ id }) => id);
			log.info({ models: ids, default: next.defaultModel }, 'models.yaml reloaded');
		} catch (thrown) {
			const error = asEarshotError(thrown);
			log.error({ code: error.code }, `${error.message}; the previous models.yaml stays in use`);
			return;
		}
		for (const listener of this.#listeners) listener();
	}

	/** Starts reloading on changes. */
	watch(): void {
		const { config } = this.#now.config;
		const changed = (): void => {
			clearTimeout(this.#settling);
			this.#settling = setTimeout(() => {
				if (this.#read() !== this.#text) this.reload();
			}, settleMs);
			this.#settling.unref();
		};
		try {
			// Watches the folder, since editors replace the file.
			this.#watcher = watch(path.dirname(config), { persistent: false }, changed);
			this.#watcher.on('error', () => this.#watcher?.close());
		} catch {
			// The folder does not exist yet; polling notices when it does.
		}
		watchFile(config, { persistent: false, interval: pollMs }, changed);
	}

	close(): void {
		clearTimeout(this.#settling);
		this.#watcher?.close();
		unwatchFile(this.#now.config.config);
	}

	#read(): string {
		try {
			return readFileSync(this.#now.config.config, 'utf8');
		} catch {
			// Removed, or not created yet.
			return '';
		}
	}
}

/** A registry that does not change, for the library and tests. */
export function staticRegistry(registry: ModelRegistry): ServedModels {
	return {
		entries: registry.entries,
		get listed() {
			return listedOf(registry);
		},
		defaultModel: registry.defaultModel,
		diarizer: registry.diarizer,
		find: (idOrAlias) => findEntry(registry, idOrAlias),
		absence: (id) => absenceIn(registry, id, false),
		async ready(entry) {
			if (!isInstalled(entry) && canBePulled(entry, registry)) throw missing(entry.id);
		},
		onChange() {},
	};
}

function listedOf(registry: ModelRegistry): readonly ModelEntry[] {
	// A model that cannot be pulled is listed even if files are missing, so that a request for it reports them.
	return registry.entries.filter((entry) => isInstalled(entry) || !canBePulled(entry, registry));
}

/** `fetches`: files that can be downloaded do not count as missing, since the first request downloads them. */
function absenceIn(registry: ModelRegistry, id: string, fetches: boolean): 'mistake' | 'missing' | undefined {
	const entry = registry.entries.find((each) => each.id === id);
	if (entry === undefined) return 'mistake';
	return isInstalled(entry) || (fetches && canBePulled(entry, registry)) ? undefined : 'missing';
}
