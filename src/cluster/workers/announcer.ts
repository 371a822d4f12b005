/** Announces this worker's models and load to the other machines, every two seconds. */

import { availableParallelism } from 'node:os';
import type { Clock } from '../../core/clock.js';
import type { ModelPool } from '../../pool/model-pool.js';
import { turnSeconds } from '../../server/request/admission.js';
import { announceEveryMs, type Directory, type WorkerEntry } from '../directory.js';
import { clusterProtocol } from './protocol.js';

export interface AnnouncerOptions {
	/** Id of this process in the cluster. */
	readonly id: string;
	/** Base URL for direct requests; '' = none. */
	readonly address: string;
	readonly directory: Directory;
	readonly pool: ModelPool;
	readonly clock: Clock;
	/** Direct recordings at a time. */
	readonly slots: number;
	readonly busySlots: () => number;
	/** Memory for all models, bytes; 0 = no limit. */
	readonly budgetBytes: number;
	/** Memory that a model would use, bytes. */
	readonly bytesOf: (model: string) => number;
	/** Seconds of audio that the model transcribes in a second. */
	readonly speedOf: (model: string) => number;
	/** Ids of the models to announce; empty = all. */
	readonly models: readonly string[];
	/** As in `Unit`. */
	readonly numerics: string;
	readonly onError: (error: unknown) => void;
}

/** Assumed time to load any model, seconds. */
const defaultLoadSeconds = 10;

export class Announcer {
	readonly #options: AnnouncerOptions;
	readonly #stop: () => void;
	#idleSinceMs: number;
	#isClosed = false;

	constructor(options: AnnouncerOptions) {
		this.#options = options;
		this.#idleSinceMs = options.clock.now();
		this.#stop = options.clock.every(announceEveryMs, () => this.announce());
	}

	/** Announces the current state; failures go to `onError`. */
	announce(): void {
		if (this.#isClosed) return;
		this.#options.directory.announce(this.#entry()).catch(this.#options.onError);
	}

	/** Makes the first announcement. Rejects if it fails. */
	async begin(): Promise<void> {
		await this.#options.directory.announce(this.#entry());
	}

	async close(): Promise<void> {
		this.#isClosed = true;
		this.#stop();
		await this.#options.directory.withdraw(this.#options.id).catch(this.#options.onError);
	}

	#entry(): WorkerEntry {
		const { id, address, pool, clock, slots, busySlots, budgetBytes, models, numerics } = this.#options;
		const busy = busySlots();
		const now = clock.now();
		// Units of jobs take no slots, but time.
		const running = Math.max(busy, sumOf(pool.models, 'requests'));
		if (running > 0) this.#idleSinceMs = now;
		const served = pool.models.filter((model) => models.length === 0 || models.includes(model.id));
		const used = sumOf(served, 'memoryBytes');
		const { diarizer } = pool;
		return {
			...{ id, address, slots, busySlots: busy, defaultModel: pool.defaultModel },
			...(diarizer !== undefined && { diarizer }),
			queuedSeconds: turnSeconds * running,
			freeBytes: budgetBytes === 0 ? Number.MAX_SAFE_INTEGER : Math.max(0, budgetBytes - used),
			idleSeconds: (now - this.#idleSinceMs) / 1000,
			protocol: clusterProtocol,
			numerics,
			models: served.map((model) => this.#modelOf(model)),
		};
	}

	#modelOf(model: ModelPool['models'][number]): WorkerEntry['models'][number] {
		const { id, aliases, type, created, ownedBy, demo, capabilities, memoryBytes } = model;
		const isLoaded = model.state === 'loaded' || model.state === 'unresponsive';
		return {
			...{ id, aliases, type, created, ownedBy, demo, capabilities },
			state: isLoaded ? 'loaded' : model.state === 'loading' ? 'loading' : 'unloaded',
			bytes: memoryBytes || this.#options.bytesOf(id),
			speed: this.#options.speedOf(id),
			loadSeconds: defaultLoadSeconds,
		};
	}
}

const sumOf = (models: ModelPool['models'], what: 'requests' | 'memoryBytes'): number =>
	models.reduce((sum, model) => sum + model[what], 0);

/** Slots of a worker: one per core. Each recording is many clips, and the clips of all recordings are interleaved. */
export const defaultSlots = availableParallelism();
