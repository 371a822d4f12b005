/** What the units of a job have made, read from the blob store, which may have lost it. */

import { EarshotError } from '../../errors.js';
import { readBlob } from '../blobs.js';
import { isFinished, type Job } from '../job.js';
import type { JobStorage } from '../storage.js';
import type { FinishedUnits, JoinedResult } from './outcome.js';
import { joinedResult } from './parts.js';

/** In a folder on the network, a file may appear late to other machines. */
const lostAfterSeconds = 60;

export class UnitResults {
	readonly #storage: Pick<JobStorage, 'store' | 'blobs'>;
	readonly #now: () => number;
	/** By job: since when a result is missing, Unix seconds. */
	readonly #missingSince = new Map<string, number>();

	/** `now`: Unix seconds. */
	constructor(storage: Pick<JobStorage, 'store' | 'blobs'>, now: () => number) {
		this.#storage = storage;
		this.#now = now;
	}

	/** The transcript of all units. `lost`: some of it has been missing or unreadable for a minute, in a store that has the
	 * rest of the job. Undefined: another process has joined them and removed what they were. Throws what the store throws. */
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

	/** A store that is down, or a folder that is not mounted, has lost nothing. */
	async #hasRest({ request }: Job): Promise<boolean> {
		return await readBlob(this.#storage.blobs, request.key).then(
			() => true,
			() => false,
		);
	}
}

/** Or torn, or of another division. */
function isMissing(thrown: unknown): boolean {
	if (thrown instanceof SyntaxError) return true;
	return thrown instanceof EarshotError && (thrown.code === 'not_found' || thrown.code === 'internal');
}
