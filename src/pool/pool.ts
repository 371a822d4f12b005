/** The hosts of this server: one per model in use, started when first asked for. */

import { isDeepStrictEqual } from 'node:util';
import type { ServedModels } from '../catalog/live-serving.js';
import type { ModelEntry } from '../catalog/model-entry.js';
import { EarshotError } from '../errors.js';
import type { Transcriber } from '../transcriber/transcriber.js';
import { Host, type HostOptions } from './host.js';
import type { HostSettings } from './host-settings.js';
import type { ListedModel, ModelPool } from './model-pool.js';

export interface PoolOptions {
	readonly models: ServedModels;
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
	readonly #options: PoolOptions;
	readonly #hosts = new Map<string, { readonly entry: ModelEntry; readonly host: Host }>();
	/** Ending, since their model has changed or gone. */
	readonly #leaving = new Set<Host>();
	#closing: Promise<void> | undefined;

	constructor(options: PoolOptions) {
		this.#options = options;
		options.models.onChange(() => this.#dropChanged());
	}

	get defaultModel(): string {
		return this.#options.models.defaultModel;
	}

	get models(): readonly ListedModel[] {
		return this.#options.models.listed.map((entry) => ({
			id: entry.id,
			aliases: entry.aliases,
			type: entry.type,
			created: this.#options.createdAt(entry),
			ownedBy: entry.ownedBy,
			state: this.#hosts.get(entry.id)?.host.state ?? 'unloaded',
			demo: entry.demo,
		}));
	}

	async transcriber(model: string, signal: AbortSignal): Promise<Transcriber> {
		const { models } = this.#options;
		await models.ready(models.find(model), signal);
		if (this.#closing) throw new EarshotError('closed', 'the server is shutting down');
		// It may have changed while its files came.
		const entry = models.find(model);
		const host = this.#hostOf(entry);
		await whileWanted(host.start(), signal);
		return host;
	}

	close(): Promise<void> {
		this.#closing ??= Promise.all([
			...[...this.#hosts.values()].map(({ host }) => host.close()),
			...[...this.#leaving].map((host) => host.close()),
		]).then(() => {});
		return this.#closing;
	}

	#hostOf(entry: ModelEntry): Host {
		const found = this.#hosts.get(entry.id);
		if (found) return found.host;
		const { settings, script, env, onLog } = this.#options;
		const options: HostOptions = { entry, settings, script, env, ...(onLog ? { onLog } : {}) };
		const host = new Host(options);
		this.#hosts.set(entry.id, { entry, host });
		return host;
	}

	/** A model that is another one now, or gone, is loaded anew by the next request; what runs may finish. */
	#dropChanged(): void {
		for (const [id, { entry, host }] of this.#hosts) {
			const now = this.#options.models.entries.find((each) => each.id === id);
			if (now && isDeepStrictEqual(loadedOf(now), loadedOf(entry))) continue;
			this.#hosts.delete(id);
			this.#leaving.add(host);
			void host.retire().finally(() => this.#leaving.delete(host));
		}
	}
}

/** Names are no reason to load again. */
function loadedOf({ type, files, options, languages }: ModelEntry): object {
	return { type, files, options, languages };
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
