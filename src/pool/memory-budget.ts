/**
 * Keeps loaded models within the memory budget: evicts idle models, least recently used first, never busy ones.
 *
 * When all others are busy, the load waits: most requests take seconds, and a client refused after its upload would
 * only send it again. After 30 s it is refused with a retry time, since a recording may run for an hour. Busy models
 * still accept requests meanwhile, so one request for a rare model cannot stop a model in constant use.
 */

import type { Clock } from '../core/clock.js';
import { EarshotError } from '../core/errors.js';

export interface Evictable {
	readonly id: string;
	/** Memory that the model uses or has been granted, whichever is larger; 0 = none. */
	readonly bytes: number;
	readonly isBusy: boolean;
	/** Its process is being ended, so its memory will be freed in any case. */
	readonly isEnding: boolean;
	/** Its keep-alive is infinite, so it is evicted last. */
	readonly isPinned: boolean;
	readonly lastUsedMs: number;
}

export interface MemoryBudgetOptions<T extends Evictable> {
	/** 0 = unlimited. */
	readonly budgetBytes: number;
	readonly clock: Clock;
	readonly models: () => Iterable<T>;
	/** Resolves when the model's memory is freed. Safe to call twice. */
	readonly evict: (model: T) => Promise<void>;
}

interface Waiter<T> {
	readonly model: T;
	readonly neededBytes: number;
	readonly isRequested: () => boolean;
	readonly grant: () => void;
	readonly refuse: (error: EarshotError) => void;
}

const waitTimeoutMs = 30_000;
const retryAfterSeconds = 10;

export class MemoryBudget<T extends Evictable> {
	readonly #options: MemoryBudgetOptions<T>;
	/** In order of arrival. */
	#waiting: Waiter<T>[] = [];

	constructor(options: MemoryBudgetOptions<T>) {
		this.#options = options;
	}

	/** Waits until `neededBytes` fit, calls `onGranted` synchronously (from then on `model.bytes` must include them) and
	 * resolves. Throws `model_too_large` if they exceed the whole budget, `out_of_memory` if they did not fit in time,
	 * and `cancelled`. */
	async admit(
		model: T,
		neededBytes: number,
		{ isRequested, onGranted }: { readonly isRequested: () => boolean; readonly onGranted: () => void },
	): Promise<void> {
		const { budgetBytes, clock } = this.#options;
		if (budgetBytes > 0 && neededBytes > budgetBytes) throw neverFits(model.id, neededBytes, budgetBytes);
		let stopTimer: (() => void) | undefined;
		try {
			await new Promise<void>((resolve, refuse) => {
				const grant = (): void => {
					onGranted();
					resolve();
				};
				this.#waiting.push({ model, neededBytes, isRequested, grant, refuse });
				stopTimer = clock.after(waitTimeoutMs, () => refuse(outOfMemory(model.id, neededBytes, budgetBytes)));
				this.review();
			});
		} finally {
			stopTimer?.();
			this.#waiting = this.#waiting.filter((waiter) => waiter.model !== model);
		}
	}

	/** Whether `bytes` more fit into the budget without an eviction. */
	hasRoomFor(bytes: number): boolean {
		const { budgetBytes, models } = this.#options;
		return chooseEvictions([...models()], bytes, budgetBytes)?.length === 0;
	}

	/** Grants memory to waiting loads. Call it when a model has become idle, was unloaded, or its memory has changed. */
	review(): void {
		const { budgetBytes, models } = this.#options;
		for (const { model, neededBytes, isRequested, grant, refuse } of [...this.#waiting]) {
			if (!isRequested()) {
				refuse(new EarshotError('cancelled', 'all requests for the model were cancelled'));
				continue;
			}
			const others = [...models()].filter((other) => other !== model);
			const evictions = chooseEvictions(others, neededBytes, budgetBytes);
			if (evictions?.length === 0) {
				// Granted before the next waiter is checked, which must not be granted the same memory.
				this.#waiting = this.#waiting.filter((waiter) => waiter.model !== model);
				grant();
			} else if (evictions) {
				this.#evict(evictions);
			}
		}
		this.#trim();
	}

	/** Evicts idle models when loaded ones have grown past the budget. The most recently used one stays, even if it
	 * alone exceeds the budget. */
	#trim(): void {
		const { budgetBytes, models } = this.#options;
		if (budgetBytes === 0) return;
		const all = [...models()];
		const excess = all.reduce((sum, { bytes }) => sum + bytes, 0) - budgetBytes;
		if (excess <= 0) return;
		const last = Math.max(...all.map(({ lastUsedMs }) => lastUsedMs));
		const others = all.filter(({ lastUsedMs }) => lastUsedMs < last);
		this.#evict(leastRecentlyUsed(others, excess));
	}

	#evict(models: readonly T[]): void {
		for (const model of models) void this.#options.evict(model).then(() => this.review());
	}
}

/** The models to evict so that `neededBytes` fit: [] when they fit already, undefined when too many are busy. Pure. */
export function chooseEvictions<T extends Evictable>(
	models: readonly T[],
	neededBytes: number,
	budgetBytes: number,
): readonly T[] | undefined {
	if (budgetBytes === 0) return [];
	const excess = models.reduce((sum, { bytes }) => sum + bytes, neededBytes) - budgetBytes;
	const chosen = leastRecentlyUsed(models, excess);
	return chosen.reduce((sum, { bytes }) => sum + bytes, 0) >= excess ? chosen : undefined;
}

/** Idle models, least recently used first: as many as free `bytes`, or all. */
function leastRecentlyUsed<T extends Evictable>(models: readonly T[], bytes: number): T[] {
	const chosen: T[] = [];
	const idle = models.filter((model) => !model.isBusy && model.bytes > 0);
	const order = (model: T): number => (model.isEnding ? 0 : model.isPinned ? 2 : 1);
	idle.sort((a, b) => order(a) - order(b) || a.lastUsedMs - b.lastUsedMs);
	let missing = bytes;
	for (const model of idle) {
		if (missing <= 0) break;
		chosen.push(model);
		missing -= model.bytes;
	}
	return chosen;
}

function neverFits(id: string, neededBytes: number, budgetBytes: number): EarshotError {
	return new EarshotError(
		'model_too_large',
		`The model \`${id}\` needs about ${mebibytes(neededBytes)} of memory, more than the budget of ${mebibytes(budgetBytes)} for all models: raise --memory-budget-mb`,
	);
}

function outOfMemory(id: string, neededBytes: number, budgetBytes: number): EarshotError {
	return new EarshotError(
		'out_of_memory',
		`There is no memory for the model \`${id}\` now: it needs about ${mebibytes(neededBytes)} of the budget of ${mebibytes(budgetBytes)} for all models, and the loaded models are busy; try again in ${retryAfterSeconds} s, or raise --memory-budget-mb`,
		{ retryAfterSeconds },
	);
}

function mebibytes(bytes: number): string {
	return `${Math.ceil(bytes / 2 ** 20)} MiB`;
}
