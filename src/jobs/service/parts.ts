/** What there is of a job beside its recording and its result, where several workers transcribe it. */

import { EarshotError } from '../../errors.js';
import { finished } from '../../speech/assemble.js';
import type { PipelineEvent } from '../../speech/events.js';
import { type BlobRef, type BlobStore, jsonBytes, readBlob } from '../blobs.js';
import type { DivisionBlob, GroupBlob, ResultBlob } from '../contents.js';
import { blobNames, type Job, partPrefix } from '../job.js';
import type { FinishedUnits, JoinedResult } from './outcome.js';

/** Blobs that are read at once. */
const mostAtOnce = 8;

/** The whole transcript: as it is, or joined from its groups in their order. Whoever joins them writes the same. Throws
 * `not_found` where a blob is missing, SyntaxError where it is torn, and `internal` where groups are missing. */
export async function joinedResult(job: Job, units: FinishedUnits, blobs: BlobStore): Promise<JoinedResult> {
	if ('whole' in units) {
		const { transcript } = await json<ResultBlob>(blobs, units.whole);
		return { ref: units.whole, durationSeconds: transcript.duration };
	}
	const division = await json<DivisionBlob>(blobs, units.division);
	if (division.groups !== units.groups.length)
		throw new EarshotError('internal', `${units.groups.length} of ${division.groups} groups are there`);
	const groups: GroupBlob[] = [];
	for (let from = 0; from < units.groups.length; from += mostAtOnce) {
		const some = units.groups.slice(from, from + mostAtOnce);
		groups.push(...(await Promise.all(some.map((ref) => json<GroupBlob>(blobs, ref)))));
	}
	const result = await joinedGroups(job, division, groups);
	const ref = await blobs.put(`${job.id}/${blobNames.result}`, jsonBytes(result satisfies ResultBlob));
	return { ref, durationSeconds: result.transcript.duration };
}

/** What one worker would have made of the whole recording. */
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

/** Of a job that needs them no more. */
export async function deleteParts(id: string, blobs: BlobStore): Promise<void> {
	const keys: string[] = [];
	for await (const { key } of blobs.list(`${id}/${partPrefix}`)) keys.push(key);
	for (const key of keys) await blobs.delete(key);
}

async function json<T>(blobs: BlobStore, { key }: BlobRef): Promise<T> {
	return JSON.parse((await readBlob(blobs, key)).toString('utf8')) as T;
}
