/** Where units are in the records of a cluster. Pure. */

import { type JobPriority, jobPriorities } from '../jobs/job.js';
import type { Unit } from '../jobs/queue.js';
import { isOver, type UnitRecord } from './core/unit-record.js';
import { objectIn } from './records/objects.js';
import type { Commit, IndexEntry } from './records/records.js';
import type { UnitName } from './transport/transport.js';

export const recordOfUnit = ({ jobId, part }: UnitName): string => `unit:${jobId}:${part}`;
export const unitsOfJob = (jobId: string): string => `units:${jobId}`;
export const clipsOf = ({ jobId, part }: UnitName): string => `clips:${jobId}:${part}`;

/** Models that units were ever queued for. */
export const modelsIndex = 'models';
/** Not leased. */
export const waitingIndex = (model: string): string => `waiting:${model}`;
/** Of these, not released. */
export const heldIndex = (model: string): string => `held:${model}`;
/** Released or leased, by the time of that. */
export const underWayIndex = (model: string): string => `under-way:${model}`;

/** Seconds of audio that wait, by model, in JSON: written each second by the process that releases. */
export const demandRecord = 'demand';

/** A job's units have come to an end; the message is its id. */
export const finishedTopic = 'finished';

/** Messages: `clip`, `progress`, `changed`. */
export const topicOfJob = (jobId: string): string => `job:${jobId}`;
/** A unit waits to be released; the message is its model. */
export const heldTopic = 'held';
/** A unit may be taken; the message is its model. */
export const releasedTopic = 'released';

/** What an index says of a unit, so that nobody has to read its record. */
export interface UnitMember extends UnitName {
	readonly class: JobPriority;
	/** Of audio. */
	readonly seconds: number;
	readonly tenant: string;
}

export function memberOf({ class: priority, seconds, tenant, jobId, part }: Unit): string {
	return JSON.stringify([priority, seconds, tenant, jobId, part]);
}

/** undefined for what is no unit. */
export function readMember(member: string): UnitMember | undefined {
	const { 0: priority, 1: seconds, 2: tenant, 3: jobId, 4: part } = objectIn({ value: member }) ?? {};
	const isOne =
		jobPriorities.some((each) => each === priority) &&
		[seconds, part].every((each) => typeof each === 'number') &&
		[tenant, jobId].every((each) => typeof each === 'string');
	return isOne ? ({ class: priority, seconds, tenant, jobId, part } as UnitMember) : undefined;
}

/** Those that are units, with their scores. */
export function readMembers(entries: readonly IndexEntry[]): (UnitMember & IndexEntry)[] {
	return entries.flatMap((entry) => {
		const unit = readMember(entry.member);
		return unit ? [{ ...unit, ...entry }] : [];
	});
}

/** The unit leaves indexes in which it has no place: those that somebody has removed its record from, or has written by hand. */
export function strayOf(
	model: string,
	member: string,
	record: UnitRecord | undefined,
): NonNullable<Commit['index']> {
	const places = record && memberOf(record.unit) === member ? placesOf(record) : [];
	return [heldIndex(model), waitingIndex(model), underWayIndex(model)]
		.filter((name) => !places.includes(name))
		.map((name) => ({ name, member, score: null }));
}

/** How the unit's record and its indexes become those of `after`; undefined = it was or will be none. */
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
	if (record === undefined || isOver(record)) return [];
	const { model } = record.unit;
	if (record.stage === 'held') return [heldIndex(model), waitingIndex(model)];
	if (record.stage === 'released') return [underWayIndex(model), waitingIndex(model)];
	return [underWayIndex(model)];
}

const scoreIn = (name: string, unit: Unit): number | 'now' =>
	name === underWayIndex(unit.model) ? 'now' : unit.queuedAt;
