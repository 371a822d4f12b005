/** A long recording for several workers: one cuts it, each transcribes groups of its clips. */

import { mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { EarshotError } from '../../errors.js';
import type { Lease } from '../../pool/model-pool.js';
import type { CutEvent } from '../../speech/events.js';
import { diarizationType } from '../../speech/model-info.js';
import type { TranscribeOptions } from '../../speech/options.js';
import type { Recording } from '../../speech/recording.js';
import type { DivisionBlob } from '../contents.js';
import { partName } from '../job.js';
import type { UnitDivision, UnitGroup, UnitLease } from '../queue.js';
import type { JobStorage } from '../storage.js';

/** Of audio: enough to be worth the way to another worker, little enough to be done again. */
const groupSeconds = 120;

/** Shorter recordings are left to one worker. */
const leastSeconds = 300;

export interface Division {
	readonly lease: UnitLease;
	readonly recording: Recording;
	readonly options: TranscribeOptions;
	readonly blobs: JobStorage['blobs'];
	readonly temporaryFolder: string;
	readonly signal: AbortSignal;
}

/** Cuts the recording, each group going to the queue as soon as it is there. Undefined: it is to be transcribed as a whole. */
export async function divided(model: Lease, work: Division): Promise<DivisionBlob | undefined> {
	const { lease } = work;
	const { division } = lease;
	// An earlier version has transcribed the beginning.
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
			if (length !== null && length < leastSeconds && known.length === 0) return undefined;
			await lease.progress(known.at(-1)?.end ?? 0, length);
		} else if (event.type === 'group') {
			const { group, file } = event;
			// A runner that has crashed begins again.
			if (group.group < count) continue;
			const before = known[group.group];
			// Cut on another processor, where speech was found elsewhere: its groups and these make no whole.
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
