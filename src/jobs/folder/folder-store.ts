/** A job store in a folder: one file per job, `<folder>/<job id>/job.json`, with a copy of all jobs in memory. */

import { readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { makeFolder } from '../../core/disk/disk.js';
import { replaceFile, syncFolder } from '../../core/disk/replace-file.js';
import { codeOf, EarshotError } from '../../core/errors.js';
import { asJob, changed, isFinished, isJobId, type Job, type JobPatch, jobStatuses } from '../job.js';
import type { Created, JobFilter, JobPage, JobStore, JobUsage } from '../store.js';

const stateName = 'job.json';

/** Number of files read concurrently at startup. */
const readAtOnce = 64;

/** Only one process at a time may use the folder. */
export class FolderStore implements JobStore {
	readonly #folder: string;
	readonly #jobs = new Map<string, Job>();
	/** Jobs by repeat key, including jobs that are still being written. */
	readonly #repeats = new Map<string, { readonly until: number; readonly job: Promise<Job> }>();
	/** The last pending write of each job. */
	readonly #writing = new Map<string, Promise<unknown>>();
	#isClosed = false;

	private constructor(folder: string) {
		this.#folder = folder;
	}

	/** Reads all jobs. Removes folders without a job, which are uploads that were never acknowledged. */
	static async open(folder: string): Promise<FolderStore> {
		const store = new FolderStore(folder);
		const ids = (await readdir(folder)).filter(isJobId);
		for (let from = 0; from < ids.length; from += readAtOnce)
			await Promise.all(ids.slice(from, from + readAtOnce).map((id) => store.#read(id)));
		return store;
	}

	async create(job: Job): Promise<Created> {
		this.#refuseClosed();
		for (const { key } of job.repeatKeys) {
			const held = this.#repeats.get(key);
			if (held === undefined || held.until <= job.createdAt) continue;
			const earlier = await held.job.catch(() => undefined);
			const now = earlier && this.#jobs.get(earlier.id);
			if (now) return { job: now, isNew: false };
			// The earlier job could not be stored, or was deleted.
			if (this.#repeats.get(key) === held) this.#repeats.delete(key);
			return await this.create(job);
		}
		const stored = this.#write(job);
		this.#hold(job, stored);
		await stored;
		return { job, isNew: true };
	}

	async get(id: string): Promise<Job | undefined> {
		this.#refuseClosed();
		return this.#jobs.get(id);
	}

	async update(id: string, version: number, patch: JobPatch): Promise<Job | undefined> {
		this.#refuseClosed();
		return await this.#inTurn(id, async () => {
			const job = this.#jobs.get(id);
			if (job?.version !== version) return undefined;
			return await this.#write(changed(job, patch));
		});
	}

	async delete(id: string): Promise<boolean> {
		this.#refuseClosed();
		return await this.#inTurn(id, async () => {
			const job = this.#jobs.get(id);
			if (job === undefined) return false;
			this.#jobs.delete(id);
			for (const { key } of job.repeatKeys) this.#repeats.delete(key);
			// The state file first: `open` removes folders without one, should this be interrupted.
			await rm(path.join(this.#folder, id, stateName), { force: true });
			await rm(path.join(this.#folder, id), { recursive: true, force: true });
			return true;
		});
	}

	async list(filter: JobFilter): Promise<JobPage> {
		this.#refuseClosed();
		const { owner, status, metadata = {}, after, limit, order } = filter;
		const wanted = Object.entries(metadata);
		const found = this.#inOrder().filter(
			(job) =>
				(owner === undefined || job.owner === owner) &&
				(status === undefined || job.status === status) &&
				wanted.every(([key, value]) => job.metadata[key] === value),
		);
		if (order === 'desc') found.reverse();
		const last = after === undefined ? undefined : this.#jobs.get(after);
		if (after !== undefined && last === undefined) return { jobs: [], hasMore: false };
		const isAfterCursor = (job: Job): boolean =>
			last === undefined || (order === 'asc' ? compare(job, last) > 0 : compare(job, last) < 0);
		const rest = found.filter(isAfterCursor);
		return { jobs: rest.slice(0, limit), hasMore: rest.length > limit };
	}

	async *unfinished(): AsyncGenerator<Job> {
		this.#refuseClosed();
		yield* this.#inOrder().filter((job) => !isFinished(job));
	}

	async *due(now: number): AsyncGenerator<Job> {
		this.#refuseClosed();
		yield* this.#inOrder().filter(
			(job) => isFinished(job) && ((job.expiresAt ?? Infinity) <= now || !job.isPublished),
		);
	}

	async usage(owner: string): Promise<JobUsage> {
		this.#refuseClosed();
		const byStatus = Object.fromEntries(jobStatuses.map((status) => [status, 0])) as Record<
			Job['status'],
			number
		>;
		let unfinishedOfOwner = 0;
		let bytes = 0;
		for (const job of this.#jobs.values()) {
			byStatus[job.status]++;
			bytes += job.audio?.size ?? 0;
			if (job.owner === owner && !isFinished(job)) unfinishedOfOwner++;
		}
		return { jobs: this.#jobs.size, unfinishedOfOwner, bytes, byStatus };
	}

	async close(): Promise<void> {
		this.#isClosed = true;
		await Promise.allSettled(this.#writing.values());
	}

	/** Jobs by creation time, then by id, so that pagination has no gaps. */
	#inOrder(): Job[] {
		return [...this.#jobs.values()].sort(compare);
	}

	#refuseClosed(): void {
		if (this.#isClosed) throw new EarshotError('closed', 'the store of jobs was closed');
	}

	async #read(id: string): Promise<void> {
		const read = await readState(path.join(this.#folder, id, stateName));
		if (read === undefined) {
			await rm(path.join(this.#folder, id), { recursive: true, force: true });
			return;
		}
		const job = asJob(read);
		// Written by a later version or by hand: the file is left unchanged.
		if (job?.id !== id) return;
		this.#jobs.set(id, job);
		this.#hold(job, Promise.resolve(job));
	}

	#hold(job: Job, stored: Promise<Job>): void {
		// The caller of `create` handles the failure.
		stored.catch(() => {});
		for (const { key, until } of job.repeatKeys) {
			const held = this.#repeats.get(key);
			if (held === undefined || held.until < until) this.#repeats.set(key, { until, job: stored });
		}
	}

	async #write(job: Job): Promise<Job> {
		const folder = path.join(this.#folder, job.id);
		if (job.version === 1) {
			await makeFolder(folder, 0o700);
			await syncFolder(this.#folder);
		}
		await replaceFile(path.join(folder, stateName), (handle) => handle.writeFile(JSON.stringify(job)));
		this.#jobs.set(job.id, job);
		return job;
	}

	/** Serializes the changes of one job. */
	async #inTurn<T>(id: string, change: () => Promise<T>): Promise<T> {
		const before = this.#writing.get(id) ?? Promise.resolve();
		const turn = before.then(change, change);
		this.#writing.set(id, turn);
		try {
			return await turn;
		} finally {
			if (this.#writing.get(id) === turn) this.#writing.delete(id);
		}
	}
}

function compare(one: Job, other: Job): number {
	return one.createdAt - other.createdAt || (one.id < other.id ? -1 : one.id > other.id ? 1 : 0);
}

/** undefined if the file is missing or truncated: such a job was never acknowledged. */
async function readState(file: string): Promise<unknown> {
	try {
		return JSON.parse(await readFile(file, 'utf8')) as unknown;
	} catch (thrown) {
		if (thrown instanceof SyntaxError || codeOf(thrown) === 'ENOENT') return undefined;
		throw thrown;
	}
}
