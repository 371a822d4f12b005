/** Divides a long recording among several workers: one cuts it, and all transcribe groups of its clips. */

import { mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { EarshotError } from '../../core/errors.js';
import type { CutEvent } from '../../core/speech/events.js';
import { diarizationType } from '../../core/speech/model-info.js';
import type { TranscribeOptions } from '../../core/speech/options.js';
import type { Recording } from '../../core/speech/recording.js';
import type { DivisionBlob } from '../../jobs/contents.js';
import { partName } from '../../jobs/job.js';
import type { UnitDivision, UnitGroup, UnitLease } from '../../jobs/queue.js';
import type { JobStorage } from '../../jobs/storage.js';
import type { Lease } from '../../pool/model-pool.js';

/** Seconds of audio: long enough to be worth the transfer to another worker, short enough to transcribe again. */
const groupSeconds = 120;

/** Shorter recordings are not divided. */
const minSeconds = 300;

export interface Division {
	readonly lease: UnitLease;
	readonly recording: Recording;
	readonly options: TranscribeOptions;
	readonly blobs: JobStorage['blobs'];
	readonly temporaryFolder: string;
	readonly signal: AbortSignal;
}

/** Cuts the recording and queues each group as soon as it is complete. Undefined: it must be transcribed as a whole. */
export async function divided(model: Lease, work: Division): Promise<DivisionBlob | undefined> {
	const { lease } = work;
	const { division } = lease;
	// A worker of an earlier version has transcribed the beginning.
	if (division === undefined || lease.clips.length > 0) return undefined;
	if (model.cut === undefined || model.info.type === diarizationType) return undefined;
	const folder = await mkdtemp(path.join(work.temporaryFolder, 'cut-'));
	try {
		const how = { folder, seconds: groupSeconds, first: division.groups.length };
		const events = model.cut(work.recording, work.options, how, work.signal);
		return await divisionOf(events, division, work);
	} finally {
		await rm(folder, { recursive: true, force: true });
	}
}

async function divisionOf(
	events: AsyncIterable<CutEvent>,
	division: UnitDivision,
	{ lease, options, blobs }: Division,
): Promise<DivisionBlob | undefined> {
	const { groups: known } = division;
	let length: number | null = null;
	let count = 0;
	for await (const event of events) {
		if (event.type === 'started') {
			length = event.duration;
			if (length !== null && length < minSeconds && known.length === 0) return undefined;
			await lease.progress(known.at(-1)?.end ?? 0, length);
		} else if (event.type === 'group') {
			const { group, file } = event;
			// After a crash of its process, the runner cuts from the beginning again.
			if (group.group < count) continue;
			const before = known[group.group];
			// On another processor, voice activity detection may have given other boundaries: these groups do not match.
			if (before && !isSame(before, group)) return undefined;
			if (!before && file !== null) {
				const name = partName(group.group + 1, lease.number, 'clips');
				const blob = await blobs.putFile(`${lease.unit.jobId}/${name}`, file);
				if (!(await division.add({ ...group, blob }))) throw lost();
			}
			count++;
		} else {
			const { duration, truncated, timing } = event;
			return {
				...{ groups: count, duration, language: options.language, timing },
				...(truncated && { truncated }),
			};
		}
	}
	throw new EarshotError('internal', 'the model ended before the recording was cut');
}

function isSame(one: UnitGroup, other: Omit<UnitGroup, 'blob'>): boolean {
	return one.start === other.start && one.end === other.end && one.clips === other.clips;
}

const lost = (): EarshotError => new EarshotError('cancelled', 'the lease is lost');
