/** The hosts of this server: one per model in use, started when first asked for. */

import type { ModelEntry } from '../catalog/model-entry.js';
import { findEntry } from '../catalog/model-entry.js';
import { EarshotError } from '../errors.js';
import type { Transcriber } from '../transcriber/transcriber.js';
import { Host, type HostOptions } from './host.js';
import type { HostSettings } from './host-settings.js';
import type { ListedModel, ModelPool } from './model-pool.js';

export interface PoolOptions {
	readonly entries: readonly ModelEntry[];
	readonly defaultModel: string;
	readonly settings: HostSettings;
	/** Compiled host-main.js. */
	readonly script: string;
	/** Environment of the hosts. */
	readonly env: NodeJS.ProcessEnv;
	readonly onLog?: (line: string) => void;
	/** Unix seconds at which the model's files arrived. */
	readonly createdAt: (entry: ModelEntry) => number;
}

export class HostPool implements ModelPool {
	readonly defaultModel: string;
	readonly #options: PoolOptions;
	readonly #hosts = new Map<string, Host>();
	#closing: Promise<void> | undefined;

	constructor(options: PoolOptions) {
		this.#options = options;
		this.defaultModel = options.defaultModel;
	}

	get models(): readonly ListedModel[] {
		return this.#options.entries.map((entry) => ({
			id: entry.id,
			aliases: entry.aliases,
			type: entry.type,
			created: this.#options.createdAt(entry),
			ownedBy: entry.ownedBy,
			state: this.#hosts.get(entry.id)?.state ?? 'unloaded',
			demo: entry.demo,
		}));
	}

	async transcriber(model: string, signal: AbortSignal): Promise<Transcriber> {
		const entry = findEntry(this.#options.entries, model);
		if (this.#closing) throw new EarshotError('closed', 'the server is shutting down');
		const host = this.#hostOf(entry);
		await whileWanted(host.start(), signal);
		return host;
	}

	close(): Promise<void> {
		this.#closing ??= Promise.all([...this.#hosts.values()].map((host) => host.close())).then(() => {});
		return this.#closing;
	}

	#hostOf(entry: ModelEntry): Host {
		const found = this.#hosts.get(entry.id);
		if (found) return found;
		const { settings, script, env, onLog } = this.#options;
		const options: HostOptions = { entry, settings, script, env, ...(onLog ? { onLog } : {}) };
		const host = new Host(options);
		this.#hosts.set(entry.id, host);
		return host;
	}
}

/** Rejects with `cancelled` as soon as `signal` fires; the work itself goes on for others who asked. */
function whileWanted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
	return new Promise((resolve, reject) => {
		const gone = () => reject(new EarshotError('cancelled', 'the request was cancelled'));
		if (signal.aborted) gone();
		signal.addEventListener('abort', gone, { once: true });
		work.then(resolve, reject).finally(() => signal.removeEventListener('abort', gone));
	});
}
