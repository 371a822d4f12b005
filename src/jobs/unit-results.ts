/** Reads the results of a job's units from the blob store, and detects results that the store has lost. */

import { EarshotError } from '../core/errors.js';
import { readBlob } from './blobs.js';
import { isFinished, type Job } from './job.js';
import type { FinishedUnits, JoinedResult } from './outcome.js';
import { joinedResult } from './parts.js';
import type { JobStorage } from './storage.js';

/** On a network file system, a file may become visible to other machines late. */
const lostAfterSeconds = 60;

export class UnitResults {
	readonly #storage: Pick<JobStorage, 'store' | 'blobs'>;
	readonly #now: () => number;
	/** When a result of a job was first found missing, by job id; Unix seconds. */
	readonly #missingSince = new Map<string, number>();

	/** `now`: Unix seconds. */
	constructor(storage: Pick<JobStorage, 'store' | 'blobs'>, now: () => number) {
		this.#storage = storage;
		this.#now = now;
	}

	/** The transcript of all units. `lost`: a result has been missing or unreadable for a minute, although the store has
	 * the job's request. Undefined: another process has finished the job in the meantime, and has removed the results.
	 * Throws what the store throws. */
	async joined(job: Job, units: FinishedUnits): Promise<JoinedResult | 'lost' | undefined> {
		const { store, blobs } = this.#storage;
		try {
			const result = await joinedResult(job, units, blobs);
			this.#missingSince.delete(job.id);
			return result;
		} catch (thrown) {
			const now = await store.get(job.id);
			if (now === undefined || isFinished(now)) {
				this.#missingSince.delete(job.id);
				return undefined;
			}
			if (!isMissing(thrown) || !(await this.#hasRest(job))) throw thrown;
			const since = this.#missingSince.get(job.id) ?? this.#now();
			this.#missingSince.set(job.id, since);
			if (this.#now() - since < lostAfterSeconds) throw thrown;
			this.#missingSince.delete(job.id);
			return 'lost';
		}
	}

	/** Whether the job's request is readable: otherwise the store is unavailable, or its folder is not mounted. */
	async #hasRest({ request }: Job): Promise<boolean> {
		return await readBlob(this.#storage.blobs, request.key).then(
			() => true,
			() => false,
		);
	}
}

/** Whether a result is missing, truncated, or from another division. */
function isMissing(thrown: unknown): boolean {
	if (thrown instanceof SyntaxError) return true;
	return thrown instanceof EarshotError && (thrown.code === 'not_found' || thrown.code === 'internal');
}
