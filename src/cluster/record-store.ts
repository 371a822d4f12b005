/** The job store of a cluster: the state of all jobs, in its records. */

import { EarshotError } from '../core/errors.js';
import {
	asJob,
	changed,
	isFinished,
	type Job,
	type JobPatch,
	type JobStatus,
	jobStatuses,
} from '../jobs/job.js';
import type { Created, JobFilter, JobPage, JobStore, JobUsage } from '../jobs/store.js';
import { objectIn } from './records/objects.js';
import type { Commit, IndexEntry, Records, StoredRecord } from './records/records.js';

/** Jobs per read. */
const pageSize = 200;

const recordOf = (id: string): string => `job:${id}`;
const recordOfRepeat = (key: string): string => `repeat:${key}`;
const bytesCounter = 'job-bytes';

/** Creation time in seconds, so that the index is in order of creation; null: not in the index. */
type Score = number | null;

/** The indexes and the job's score in each; null: it is not in that index. Pure. */
function placesOf(job: Job | undefined, owner: string): Record<string, Score> {
	const created = job?.createdAt ?? null;
	const isOpen = job !== undefined && !isFinished(job);
	const dueAt = job?.isPublished === false ? 0 : (job?.expiresAt ?? null);
	return {
		jobs: created,
		[`jobs-of:${owner}`]: created,
		'jobs-unfinished': isOpen ? created : null,
		[`jobs-unfinished-of:${owner}`]: isOpen ? created : null,
		'jobs-due': job === undefined || isOpen ? null : dueAt,
		...Object.fromEntries(
			jobStatuses.map((status) => [`jobs-status:${status}`, job?.status === status ? created : null]),
		),
	};
}

/** The changes of indexes and counters when `before` becomes `after`. Pure. */
function moves(id: string, before: Job | undefined, after: Job | undefined): Pick<Commit, 'index' | 'count'> {
	const owner = (after ?? before)?.owner ?? '';
	const [from, to] = [placesOf(before, owner), placesOf(after, owner)];
	const names = Object.keys(to).filter((name) => from[name] !== to[name]);
	const by = keptBytes(after) - keptBytes(before);
	return {
		index: names.map((name) => ({ name, member: id, score: to[name] ?? null })),
		count: by === 0 ? [] : [{ name: bytesCounter, by }],
	};
}

const keptBytes = (job: Job | undefined): number => job?.audio?.size ?? 0;

export class RecordStore implements JobStore {
	readonly #records: Records;
	readonly #onDamage: (error: Error) => void;
	#isClosed = false;

	/** The caller closes the records. `onDamage`: called for a stored record that is not a valid job, which is
	 * skipped. */
	constructor(records: Records, onDamage: (error: Error) => void = () => {}) {
		this.#records = records;
		this.#onDamage = onDamage;
	}

	async create(job: Job): Promise<Created> {
		for (;;) {
			const keys = job.repeatKeys.map(({ key }) => recordOfRepeat(key));
			const found = await this.#open.get([recordOf(job.id), ...keys]);
			if (found[0]) throw new EarshotError('internal', `there is a job \`${job.id}\` already`);
			const first = await this.#repeated(job, found.slice(1));
			if (first) return { job: first, isNew: false };
			const expect = Object.fromEntries(
				[recordOf(job.id), ...keys].map((key, position) => [key, found[position]?.version ?? 0]),
			);
			const put = Object.fromEntries(
				job.repeatKeys.map(({ key, until }) => [
					recordOfRepeat(key),
					JSON.stringify({ job: job.id, until } satisfies Repeat),
				]),
			);
			const isDone = await this.#open.commit({
				expect,
				put: { ...put, [recordOf(job.id)]: JSON.stringify(job) },
				...moves(job.id, undefined, job),
			});
			if (isDone) return { job, isNew: true };
		}
	}

	async #repeated(job: Job, found: readonly (StoredRecord | undefined)[]): Promise<Job | undefined> {
		for (const record of found) {
			const { job: id, until } = (objectIn(record) ?? {}) as Partial<Repeat>;
			if (id === undefined || until === undefined) continue;
			const first = until > job.createdAt ? await this.get(id) : undefined;
			if (first) return first;
		}
		return undefined;
	}

	async get(id: string): Promise<Job | undefined> {
		return (await this.#read([id]))[0];
	}

	async update(id: string, version: number, patch: JobPatch): Promise<Job | undefined> {
		const job = await this.get(id);
		if (job?.version !== version) return undefined;
		const after = changed(job, patch);
		const isDone = await this.#open.commit({
			expect: { [recordOf(id)]: version },
			put: { [recordOf(id)]: JSON.stringify(after) },
			...moves(id, job, after),
		});
		return isDone ? after : undefined;
	}

	async delete(id: string): Promise<boolean> {
		for (;;) {
			const job = await this.get(id);
			if (!job) return false;
			const repeats = await this.#repeatsOf(job);
			const isDone = await this.#open.commit({
				expect: { [recordOf(id)]: job.version },
				remove: [recordOf(id), ...repeats],
				...moves(id, job, undefined),
			});
			if (isDone) return true;
		}
	}

	/** The job's idempotency keys that still point to it: another job may have taken one of them since. */
	async #repeatsOf(job: Job): Promise<string[]> {
		const keys = job.repeatKeys.map(({ key }) => recordOfRepeat(key));
		const found = await this.#open.get(keys);
		return keys.filter((_, position) => objectIn(found[position])?.job === job.id);
	}

	async list(filter: JobFilter): Promise<JobPage> {
		const { owner, status, metadata = {}, after, limit, order } = filter;
		const index =
			owner === undefined ? (status === undefined ? 'jobs' : `jobs-status:${status}`) : `jobs-of:${owner}`;
		const fits = (job: Job): boolean =>
			(status === undefined || job.status === status) &&
			Object.entries(metadata).every(([name, value]) => job.metadata[name] === value);
		const jobs: Job[] = [];
		for await (const job of this.#walk(index, order, after)) {
			if (!fits(job)) continue;
			if (jobs.length === limit) return { jobs, hasMore: true };
			jobs.push(job);
		}
		return { jobs, hasMore: false };
	}

	unfinished(): AsyncIterable<Job> {
		return this.#walk('jobs-unfinished', 'asc');
	}

	async *due(now: number): AsyncGenerator<Job> {
		const entries = await this.#open.between('jobs-due', 0, now, Number.MAX_SAFE_INTEGER);
		for (let from = 0; from < entries.length; from += pageSize) {
			for (const job of await this.#read(entries.slice(from, from + pageSize).map(({ member }) => member)))
				if (job) yield job;
		}
	}

	async usage(owner: string): Promise<JobUsage> {
		const [jobs = 0, unfinishedOfOwner = 0, ...others] = await this.#open.sizes([
			'jobs',
			`jobs-unfinished-of:${owner}`,
			...jobStatuses.map((status) => `jobs-status:${status}`),
		]);
		const [bytes = 0] = await this.#open.counts([bytesCounter]);
		const byStatus = Object.fromEntries(
			jobStatuses.map((status, position) => [status, others[position] ?? 0]),
		) as Record<JobStatus, number>;
		return { jobs, unfinishedOfOwner, bytes, byStatus };
	}

	async close(): Promise<void> {
		this.#isClosed = true;
	}

	async *#walk(index: string, order: 'asc' | 'desc', after?: string): AsyncGenerator<Job> {
		let last = after;
		for (;;) {
			const page: readonly IndexEntry[] = await this.#open.page(index, {
				...(last !== undefined && { after: last }),
				limit: pageSize,
				order,
			});
			for (const job of await this.#read(page.map(({ member }) => member))) if (job) yield job;
			last = page.at(-1)?.member;
			if (page.length < pageSize) return;
		}
	}

	async #read(ids: readonly string[]): Promise<(Job | undefined)[]> {
		const found = await this.#open.get(ids.map(recordOf));
		return found.map((record, position) => {
			const job = asJob(objectIn(record));
			if (record && !job)
				this.#onDamage(new Error(`the record ${recordOf(ids[position] ?? '')} is not a job`));
			return job;
		});
	}

	get #open(): Records {
		if (this.#isClosed) throw new EarshotError('closed', 'the store of jobs is closed');
		return this.#records;
	}
}

interface Repeat {
	/** Id of the job. */
	readonly job: string;
	/** Unix seconds. */
	readonly until: number;
}
