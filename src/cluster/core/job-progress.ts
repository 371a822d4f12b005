/** Computes the progress of a job from its units. Pure. */

import type { UnitRecord } from './unit-record.js';

export interface UnitProgress {
	/** Seconds of the recording that are transcribed. */
	readonly processed: number;
	readonly duration: number | null;
}

/** `records`: of all units of a job, in order. */
export function progressOf([whole, ...groups]: readonly UnitRecord[]): UnitProgress {
	if (whole === undefined) return { processed: 0, duration: null };
	const { processed, duration } = whole;
	return {
		processed: groups.length === 0 ? processed : groups.reduce((sum, each) => sum + progressOfGroup(each), 0),
		duration,
	};
}

function progressOfGroup({ unit: { group }, stage, processed }: UnitRecord): number {
	if (group === undefined) return 0;
	return stage === 'done' ? group.end - group.start : Math.max(0, processed - group.start);
}

/** The units whose clips make the text, in order. */
export function unitsOfText(records: readonly UnitRecord[]): readonly UnitRecord[] {
	return records.length > 1 ? records.slice(1) : records;
}
