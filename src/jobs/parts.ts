/** Joins the groups of a divided job into one transcript, and deletes them. */

import { EarshotError } from '../core/errors.js';
import { finished } from '../core/speech/assemble.js';
import type { PipelineEvent } from '../core/speech/events.js';
import { type BlobRef, type BlobStore, jsonBytes, readBlob } from './blobs.js';
import type { DivisionBlob, GroupBlob, ResultBlob } from './contents.js';
import { blobNames, type Job, partPrefix } from './job.js';
import type { FinishedUnits, JoinedResult } from './outcome.js';

/** Number of blobs read concurrently. */
const maxConcurrent = 8;

/** The complete transcript: as stored, or joined from its groups in order. The output is deterministic, so several
 * processes may join the same groups. Throws `not_found` if a blob is missing, SyntaxError if one is truncated, and
 * `internal` if groups are missing. */
export async function joinedResult(job: Job, units: FinishedUnits, blobs: BlobStore): Promise<JoinedResult> {
	if ('whole' in units) {
		const { transcript } = await json<ResultBlob>(blobs, units.whole);
		return { ref: units.whole, durationSeconds: transcript.duration };
	}
	const division = await json<DivisionBlob>(blobs, units.division);
	if (division.groups !== units.groups.length)
		throw new EarshotError('internal', `${units.groups.length} of ${division.groups} groups have a result`);
	const groups: GroupBlob[] = [];
	for (let from = 0; from < units.groups.length; from += maxConcurrent) {
		const some = units.groups.slice(from, from + maxConcurrent);
		groups.push(...(await Promise.all(some.map((ref) => json<GroupBlob>(blobs, ref)))));
	}
	const result = await joinedGroups(job, division, groups);
	const ref = await blobs.put(`${job.id}/${blobNames.result}`, jsonBytes(result satisfies ResultBlob));
	return { ref, durationSeconds: result.transcript.duration };
}

/** The result that a single worker would have produced for the whole recording. */
export async function joinedGroups(
	{ model, task }: Pick<Job, 'model' | 'task'>,
	division: DivisionBlob,
	groups: readonly GroupBlob[],
): Promise<ResultBlob> {
	const about = { model, task, language: division.language };
	for await (const event of finished(eventsOf(division, groups), about)) {
		if (event.type !== 'done') continue;
		const { transcript, timing } = event;
		return { transcript, ...(timing && { timing }) };
	}
	throw new EarshotError('internal', 'the groups of a job make no transcript');
}

async function* eventsOf(
	{ duration, truncated, timing }: DivisionBlob,
	groups: readonly GroupBlob[],
): AsyncGenerator<PipelineEvent> {
	for (const { clips } of groups) yield* clips;
	const run = groups.reduce((total, group) => total + (group.timing?.run ?? 0), 0);
	const queue = groups[0]?.timing?.queue ?? 0;
	yield {
		type: 'ended',
		duration,
		...(truncated && { truncated }),
		timing: { decode: timing.decode, queue, run },
	};
}

/** Deletes the blobs of a job's parts. */
export async function deleteParts(id: string, blobs: BlobStore): Promise<void> {
	const keys: string[] = [];
	for await (const { key } of blobs.list(`${id}/${partPrefix}`)) keys.push(key);
	for (const key of keys) await blobs.delete(key);
}

async function json<T>(blobs: BlobStore, { key }: BlobRef): Promise<T> {
	return JSON.parse((await readBlob(blobs, key)).toString('utf8')) as T;
}
