/** What is served, kept up to date with models.yaml while the server runs. */

import { type FSWatcher, readFileSync, unwatchFile, watch, watchFile } from 'node:fs';
import path from 'node:path';
import type { SettingName } from '../../config/settings.js';
import { asEarshotError } from '../../errors.js';
import type { Log } from '../../log.js';
import type { ModelEntry } from './entry.js';
import {
	canBePulled,
	findEntry,
	isInstalled,
	loadRegistry,
	type ModelRegistry,
	missing,
} from './registry.js';

/** What the pool needs of it; tests and the library hand it a fixed one. */
export interface ServedModels {
	readonly entries: readonly ModelEntry[];
	/** Those that a client may choose from: what is configured and not here is not among them, unless it is fetched when asked for. */
	readonly listed: readonly ModelEntry[];
	/** Used where a request names no model. */
	readonly defaultModel: string;
	/** Throws `model_not_found` saying what to do. */
	find(wanted: string): ModelEntry;
	/** Resolves when its files are on this machine, which may mean fetching them. Throws `model_not_found`. */
	ready(entry: ModelEntry, signal: AbortSignal): Promise<void>;
	/** Called after entries came, went or changed. */
	onChange(listener: () => void): void;
}

export interface RegistryWatcherOptions {
	readonly flags: Partial<Record<SettingName, string>>;
	readonly packageRoot: string;
	readonly log: Log;
	/** Fetches what is missing; absent = nothing is fetched unasked. */
	readonly fetch?: (entry: ModelEntry, signal: AbortSignal) => Promise<void>;
}

/** Editors write a file in several steps. */
const settleMs = 150;
/** Where the system does not tell of changes, as in folders mounted from another one. */
const pollMs = 5_000;

export class RegistryWatcher implements ServedModels {
	readonly #options: RegistryWatcherOptions;
	readonly #listeners: (() => void)[] = [];
	#now: ModelRegistry;
	#text: string;
	#watcher: FSWatcher | undefined;
	#settling: NodeJS.Timeout | undefined;

	/** Throws `config_invalid`: a server does not start with a mistake. */
	constructor(options: RegistryWatcherOptions) {
		this.#options = options;
		this.#now = loadRegistry(options.flags, options.packageRoot);
		this.#text = this.#read();
	}

	/** Its `config` stays as it was at the start. */
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

	find(wanted: string): ModelEntry {
		return findEntry(this.#now, wanted);
	}

	async ready(entry: ModelEntry, signal: AbortSignal): Promise<void> {
		if (isInstalled(entry) || !canBePulled(entry, this.#now.catalog)) return;
		if (!this.#options.fetch) throw missing(entry.id);
		await this.#options.fetch(entry, signal);
	}

	onChange(listener: () => void): void {
		this.#listeners.push(listener);
	}

	/** A mistake is logged, and everything stays as it was. */
	reload(): void {
		const { flags, packageRoot, log } = this.#options;
		this.#text = this.#read();
		try {
			const next = loadRegistry(flags, packageRoot);
			for (const warning of next.warnings) log.warn({}, warning);
			const before = this.#now;
			this.#now = { ...next, config: before.config };
			const ids = next.entries.map(({ id }) => id);
			log.info({ models: ids, default: next.defaultModel }, 'models.yaml was read again');
		} catch (thrown) {
			const error = asEarshotError(thrown);
			log.error({ code: error.code }, `${error.message}; what was served before is served on`);
			return;
		}
		for (const listener of this.#listeners) listener();
	}

	/** Reloads by itself from now on. */
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
			// The folder, since editors put a new file in the place of the old one.
			this.#watcher = watch(path.dirname(config), { persistent: false }, changed);
			this.#watcher.on('error', () => this.#watcher?.close());
		} catch {
			// No such folder yet; the slower way notices when there is.
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
			// Gone, or not there yet.
			return '';
		}
	}
}

/** For whoever reads models.yaml once. */
export function staticRegistry(registry: ModelRegistry): ServedModels {
	return {
		entries: registry.entries,
		get listed() {
			return listedOf(registry);
		},
		defaultModel: registry.defaultModel,
		find: (wanted) => findEntry(registry, wanted),
		async ready(entry) {
			if (!isInstalled(entry) && canBePulled(entry, registry.catalog)) throw missing(entry.id);
		},
		onChange() {},
	};
}

function listedOf({ entries, catalog }: ModelRegistry): readonly ModelEntry[] {
	// One that nobody can fetch is listed: whoever asks for it is told what it lacks.
	return entries.filter((entry) => isInstalled(entry) || !canBePulled(entry, catalog));
}
