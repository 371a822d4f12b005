/** Keys, indexes and topics of units in the records of a cluster. Pure. */

import { type JobPriority, jobPriorities } from '../jobs/job.js';
import type { Unit } from '../jobs/queue.js';
import { isTerminal, type UnitRecord } from './core/unit-record.js';
import { objectIn } from './records/objects.js';
import type { Commit, IndexEntry } from './records/records.js';
import type { UnitName } from './transport/transport.js';

export const recordOfUnit = ({ jobId, part }: UnitName): string => `unit:${jobId}:${part}`;
export const unitsOfJob = (jobId: string): string => `units:${jobId}`;
export const clipsOf = ({ jobId, part }: UnitName): string => `clips:${jobId}:${part}`;

/** All models for which a unit was ever queued. */
export const modelsIndex = 'models';
/** Units that are not leased. */
export const waitingIndex = (model: string): string => `waiting:${model}`;
/** Waiting units that are not released. */
export const heldIndex = (model: string): string => `held:${model}`;
/** Released or leased units; scores: when that happened, by the server's clock, ms. */
export const releasedIndex = (model: string): string => `under-way:${model}`;

/** Seconds of waiting audio by model, as JSON; the releaser writes it every second. */
export const demandRecord = 'demand';

/** A worker has completed a unit, or it has failed for good; the message is the job's id. */
export const finishedTopic = 'finished';

/** Messages: `clip`, `progress`, `changed`, `cancelled`. */
export const topicOfJob = (jobId: string): string => `job:${jobId}`;
/** A unit waits to be released; the message is its model's id. */
export const heldTopic = 'held';
/** A unit can be leased; the message is its model's id. */
export const releasedTopic = 'released';

/** The fields of a unit that are in its index entry, so that its record need not be read. */
export interface UnitMember extends UnitName {
	readonly class: JobPriority;
	/** Seconds of audio. */
	readonly seconds: number;
	readonly tenant: string;
}

export function memberOf({ class: priority, seconds, tenant, jobId, part }: Unit): string {
	return JSON.stringify([priority, seconds, tenant, jobId, part]);
}

/** undefined if the text does not describe a unit. */
export function readMember(member: string): UnitMember | undefined {
	const { 0: priority, 1: seconds, 2: tenant, 3: jobId, 4: part } = objectIn({ value: member }) ?? {};
	const isOne =
		jobPriorities.some((each) => each === priority) &&
		[seconds, part].every((each) => typeof each === 'number') &&
		[tenant, jobId].every((each) => typeof each === 'string');
	return isOne ? ({ class: priority, seconds, tenant, jobId, part } as UnitMember) : undefined;
}

/** The entries that describe units, with their scores. */
export function readMembers(entries: readonly IndexEntry[]): (UnitMember & IndexEntry)[] {
	return entries.flatMap((entry) => {
		const unit = readMember(entry.member);
		return unit ? [{ ...unit, ...entry }] : [];
	});
}

/** Index changes that remove an entry from indexes to which it does not belong: its record was removed, or the
 * entry was written by hand. */
export function orphanOf(
	model: string,
	member: string,
	record: UnitRecord | undefined,
): NonNullable<Commit['index']> {
	const places = record && memberOf(record.unit) === member ? placesOf(record) : [];
	return [heldIndex(model), waitingIndex(model), releasedIndex(model)]
		.filter((name) => !places.includes(name))
		.map((name) => ({ name, member, score: null }));
}

/** The changes of the unit's record and indexes from `before` to `after`; undefined = there is no record. */
export function changeOf(
	unit: Unit,
	before: UnitRecord | undefined,
	after: UnitRecord | undefined,
): Pick<Commit, 'put' | 'remove'> & { readonly index: NonNullable<Commit['index']> } {
	const key = recordOfUnit(unit);
	const [from, to] = [placesOf(before), placesOf(after)];
	const member = memberOf(unit);
	const index = [...new Set([...from, ...to])]
		.filter((name) => from.includes(name) !== to.includes(name))
		.map((name) => ({ name, member, score: to.includes(name) ? scoreIn(name, unit) : null }));
	const ofJob = { name: unitsOfJob(unit.jobId), member: String(unit.part) };
	if (after === undefined) return { remove: [key], index: [...index, { ...ofJob, score: null }] };
	const isNew = before === undefined;
	return {
		put: { [key]: JSON.stringify(after) },
		index: [
			...index,
			...(isNew
				? [
						{ ...ofJob, score: unit.part },
						{ name: modelsIndex, member: unit.model, score: 0 },
					]
				: []),
		],
	};
}

function placesOf(record: UnitRecord | undefined): string[] {
	if (record === undefined || isTerminal(record)) return [];
	const { model } = record.unit;
	if (record.stage === 'held') return [heldIndex(model), waitingIndex(model)];
	if (record.stage === 'released') return [releasedIndex(model), waitingIndex(model)];
	return [releasedIndex(model)];
}

const scoreIn = (name: string, unit: Unit): number | 'now' =>
	name === releasedIndex(unit.model) ? 'now' : unit.queuedAt;
