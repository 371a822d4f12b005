/**
 * What the server counts and measures, as Prometheus reads it. One object for each server; the pool and the
 * routes tell it what happened, and nobody asks it to decide anything. Labels are ids of models that are
 * served here and words of our own: a client cannot make new ones.
 */

import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** Why a host was ended while nothing was wrong with it; `memory` is an eviction. */
export type UnloadReason = 'idle' | 'memory' | 'asked' | 'changed';

/** Why a host was started again while it was needed. */
export type RestartReason = 'died' | 'grew';

/** Why a request was turned away that was right in itself. */
export type RefusalReason = 'queue' | 'uploads' | 'memory' | 'hold' | 'deadline';

/** What the pool tells of its hosts. Each call is one event. */
export interface PoolMetrics {
	/** A host is ready, `seconds` after its process was started. */
	loaded(model: string, seconds: number): void;
	loadFailed(model: string): void;
	unloaded(model: string, reason: UnloadReason): void;
	restarted(model: string, reason: RestartReason): void;
	/** `model` is '' where the request had not come so far as to name one. */
	refused(model: string, reason: RefusalReason): void;
	/** Resident memory of the model's host, bytes; 0 where it has none. */
	memory(model: string, bytes: number): void;
}

/** Seconds: from a null engine to a recording of hours. */
const timeBuckets = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800];

export class Metrics implements PoolMetrics {
	readonly #registry = new Registry();

	readonly #loads = this.#counter('loads_total', 'Models loaded, by how it ended', ['model', 'result']);
	readonly #loadSeconds = this.#histogram('load_seconds', 'From the start of a host until it is ready', [
		'model',
	]);
	readonly #unloads = this.#counter('unloads_total', 'Hosts ended; `memory` are evictions', [
		'model',
		'reason',
	]);
	readonly #restarts = this.#counter('restarts_total', 'Hosts started again while they were needed', [
		'model',
		'reason',
	]);
	readonly #refusals = this.#counter('refusals_total', 'Requests turned away', ['model', 'reason']);
	readonly #memory = this.#gauge('host_memory_bytes', 'Resident memory of the host', ['model']);

	readonly contentType = this.#registry.contentType;

	loaded(model: string, seconds: number): void {
		this.#loads.inc({ model, result: 'ok' });
		this.#loadSeconds.observe({ model }, seconds);
	}

	loadFailed(model: string): void {
		this.#loads.inc({ model, result: 'failed' });
	}

	unloaded(model: string, reason: UnloadReason): void {
		this.#unloads.inc({ model, reason });
	}

	restarted(model: string, reason: RestartReason): void {
		this.#restarts.inc({ model, reason });
	}

	refused(model: string, reason: RefusalReason): void {
		this.#refusals.inc({ model, reason });
	}

	memory(model: string, bytes: number): void {
		this.#memory.set({ model }, bytes);
	}

	/** Everything, in Prometheus' text format. */
	render(): Promise<string> {
		return this.#registry.metrics();
	}

	#counter<L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L> {
		return new Counter({ name: `earshot_${name}`, help, labelNames, registers: [this.#registry] });
	}

	#gauge<L extends string>(name: string, help: string, labelNames: readonly L[]): Gauge<L> {
		return new Gauge({ name: `earshot_${name}`, help, labelNames, registers: [this.#registry] });
	}

	#histogram<L extends string>(name: string, help: string, labelNames: readonly L[]): Histogram<L> {
		return new Histogram({
			name: `earshot_${name}`,
			help,
			labelNames,
			buckets: timeBuckets,
			registers: [this.#registry],
		});
	}
}
