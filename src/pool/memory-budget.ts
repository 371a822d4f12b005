/**
 * Who may be in memory. A model that is to be loaded gets its share of the budget, if need be by the end of others
 * that nobody uses, those first that have not been used for longest; never of one that is at work.
 *
 * Where all others are at work the request waits: most work takes seconds, and a client that has sent its recording
 * would only send it again. It waits for half a minute and no longer, since a recording may run for an hour, and is
 * then refused with the time to come back. Nobody at work is held up for it: a model that is asked for once must not
 * stop one that is asked for all the time.
 */

import type { Clock } from '../clock.js';
import { EarshotError } from '../errors.js';

export interface Evictable {
	readonly id: string;
	/** What it takes now, or has been granted; 0 = nothing. */
	readonly bytes: number;
	readonly isBusy: boolean;
	/** On its way out: its memory comes back in any case. */
	readonly isEnding: boolean;
	/** Goes last: somebody wants it to stay. */
	readonly isToStay: boolean;
	readonly lastUsedMs: number;
}

export interface MemoryBudgetOptions<T extends Evictable> {
	/** 0 = no bound. */
	readonly budgetBytes: number;
	readonly clock: Clock;
	readonly models: () => Iterable<T>;
	/** Resolves when its memory is back. Safe to call twice. */
	readonly evict: (model: T) => Promise<void>;
}

interface Waiter<T> {
	readonly model: T;
	readonly neededBytes: number;
	readonly isWanted: () => boolean;
	readonly grant: () => void;
	readonly refuse: (error: EarshotError) => void;
}

const waitTimeoutMs = 30_000;
const retryAfterSeconds = 10;

export class MemoryBudget<T extends Evictable> {
	readonly #options: MemoryBudgetOptions<T>;
	/** In the order they came. */
	#waiting: Waiter<T>[] = [];

	constructor(options: MemoryBudgetOptions<T>) {
		this.#options = options;
	}

	/** Calls `onGranted` in the moment there is room, when `model` has to count as occupying it, and resolves.
	 * Throws `model_load_failed` where there will never be, `out_of_memory` where there was none in time, and `cancelled`. */
	async admit(
		model: T,
		neededBytes: number,
		{ isWanted, onGranted }: { readonly isWanted: () => boolean; readonly onGranted: () => void },
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
				this.#waiting.push({ model, neededBytes, isWanted, grant, refuse });
				stopTimer = clock.after(waitTimeoutMs, () => refuse(noRoom(model.id, neededBytes, budgetBytes)));
				this.review();
			});
		} finally {
			stopTimer?.();
			this.#waiting = this.#waiting.filter((waiter) => waiter.model !== model);
		}
	}

	/** Whether `bytes` more would fit without anybody's end. */
	hasRoomFor(bytes: number): boolean {
		const { budgetBytes, models } = this.#options;
		return chooseEvictions([...models()], bytes, budgetBytes)?.length === 0;
	}

	/** To be called when a model has become idle, has gone, or takes another amount of memory than before. */
	review(): void {
		const { budgetBytes, models } = this.#options;
		for (const { model, neededBytes, isWanted, grant, refuse } of [...this.#waiting]) {
			if (!isWanted()) {
				refuse(new EarshotError('cancelled', 'nobody waits for the model any more'));
				continue;
			}
			const others = [...models()].filter((other) => other !== model);
			const evictions = chooseEvictions(others, neededBytes, budgetBytes);
			if (evictions?.length === 0) {
				// Before the next one is looked at: it must not be promised the same memory.
				this.#waiting = this.#waiting.filter((waiter) => waiter.model !== model);
				grant();
			} else if (evictions) {
				this.#evict(evictions);
			}
		}
		this.#trim();
	}

	/** What is in memory may grow past what was expected of it. Whoever was used last stays: it alone is what
	 * the machine is for. */
	#trim(): void {
		const { budgetBytes, models } = this.#options;
		if (budgetBytes === 0) return;
		const all = [...models()];
		const excess = all.reduce((sum, { bytes }) => sum + bytes, 0) - budgetBytes;
		if (excess <= 0) return;
		const last = Math.max(...all.map(({ lastUsedMs }) => lastUsedMs));
		const others = all.filter(({ lastUsedMs }) => lastUsedMs < last);
		this.#evict(longestUnused(others, excess));
	}

	#evict(models: readonly T[]): void {
		for (const model of models) void this.#options.evict(model).then(() => this.review());
	}
}

/** Those that must go so that `neededBytes` fit: none where they do already, undefined where too many are busy. Pure. */
export function chooseEvictions<T extends Evictable>(
	models: readonly T[],
	neededBytes: number,
	budgetBytes: number,
): readonly T[] | undefined {
	if (budgetBytes === 0) return [];
	const excess = models.reduce((sum, { bytes }) => sum + bytes, neededBytes) - budgetBytes;
	const chosen = longestUnused(models, excess);
	return chosen.reduce((sum, { bytes }) => sum + bytes, 0) >= excess ? chosen : undefined;
}

/** Of those that nobody uses: as many as make up `bytes`, or all. */
function longestUnused<T extends Evictable>(models: readonly T[], bytes: number): T[] {
	const chosen: T[] = [];
	const idle = models.filter((model) => !model.isBusy && model.bytes > 0);
	const order = (model: T): number => (model.isEnding ? 0 : model.isToStay ? 2 : 1);
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
		'model_load_failed',
		`The model \`${id}\` needs about ${megabytes(neededBytes)} of memory, and all models together may take ${megabytes(budgetBytes)}: raise --memory-budget-mb`,
	);
}

function noRoom(id: string, neededBytes: number, budgetBytes: number): EarshotError {
	return new EarshotError(
		'out_of_memory',
		`There is no memory for the model \`${id}\` now: it needs about ${megabytes(neededBytes)} of the ${megabytes(budgetBytes)} that all models together may take, and those in memory are at work`,
		{ retryAfterSeconds },
	);
}

function megabytes(bytes: number): string {
	return `${Math.ceil(bytes / 2 ** 20)} MiB`;
}
