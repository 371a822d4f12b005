/** Orphaned blobs: left by interrupted uploads, and by workers that finished after their job had ended. */

import { blobNames, isFinished, partPrefix } from './job.js';
import type { JobStorage } from './storage.js';

/** Minimum age: younger blobs may belong to a job that is being created. */
const orphanSeconds = 24 * 3600;

/** `now`: Unix seconds. */
export async function* orphans(
	{ store, blobs }: Pick<JobStorage, 'store' | 'blobs'>,
	now: number,
): AsyncGenerator<{ readonly id: string; readonly key: string }> {
	for await (const { key, modifiedAt } of blobs.list('trj_')) {
		if (now - modifiedAt < orphanSeconds) continue;
		const [id = ''] = key.split('/');
		const job = await store.get(id);
		const isDeletedAudio = job?.audio === null && key === `${id}/${blobNames.audio}`;
		const isPart = key.startsWith(`${id}/${partPrefix}`);
		const isLeftPart = isPart && job !== undefined && isFinished(job) && job.status !== 'failed';
		if (job === undefined || isDeletedAudio || isLeftPart) yield { id, key };
	}
}
