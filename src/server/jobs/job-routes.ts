/** Routes of jobs: list, retrieve, cancel or delete, retry. */

import { createHash } from 'node:crypto';
import type { Clock } from '../../core/clock.js';
import { EarshotError, expected } from '../../core/errors.js';
import { isFinished, type Job, jobStatuses } from '../../jobs/job.js';
import type { Admission } from '../request/admission.js';
import type { RequestContext, RequestHandler } from '../request/context.js';
import { Fields, listed } from '../request/fields/fields.js';
import { parseMetadata } from './job-fields.js';
import { jobObject } from './job-object.js';
import type { OpenJobs, ServerJobs } from './server-jobs.js';

export interface JobRoutesOptions {
	readonly jobs: ServerJobs;
	readonly admission: Admission;
	readonly clock: Clock;
}

const maxPageSize = 100;
const defaultPageSize = 20;
const maxWaitSeconds = 60;

export function listJobs(options: JobRoutesOptions): RequestHandler {
	return async (ctx) => {
		const filter = filterOf(ctx);
		const open = await options.jobs.find();
		const { owner } = ctx.state;
		if (filter.after !== undefined) await checkAfter(filter.after, owner, open);
		const page = await open?.service.list({ ...filter, owner });
		const data = [];
		for (const job of page?.jobs ?? []) data.push(await shown(job, open, options));
		ctx.body = {
			object: 'list',
			data,
			first_id: page?.jobs[0]?.id ?? null,
			last_id: page?.jobs.at(-1)?.id ?? null,
			has_more: page?.hasMore ?? false,
		};
	};
}

/** Long polling: with `?wait=30` the response is sent when the job is finished, differs from the ETag in
 * `If-None-Match`, or after 30 seconds. */
export function retrieveJob(options: JobRoutesOptions): RequestHandler {
	return async (ctx) => {
		const waitMs = waitSecondsOf(ctx) * 1000;
		const { open, job } = await findJob(ctx, options.jobs);
		const known = ctx.get('if-none-match');
		const hasChanged = async (now: Job): Promise<boolean> =>
			isFinished(now) || (known !== '' && !isKnown(known, etagOf(await shown(now, open, options))));
		const body = await shown(
			await waitForChange(ctx, open, job, { waitMs, hasChanged, clock: options.clock }),
			open,
			options,
		);
		const etag = etagOf(body);
		ctx.set('etag', etag);
		ctx.set('cache-control', 'no-cache');
		if (isKnown(known, etag)) ctx.status = 304;
		else ctx.body = body;
	};
}

/** Cancels a job, or deletes a finished one. */
export function deleteJob(options: JobRoutesOptions): RequestHandler {
	return async (ctx) => {
		const { open, job } = await findJob(ctx, options.jobs);
		const did = await open.service.cancelOrDelete(job);
		ctx.body =
			did === 'deleted'
				? { id: job.id, object: 'transcription.job.deleted', deleted: true }
				: await shown(await open.service.find(ctx.state.owner, job.id), open, options);
	};
}

export function retryJob(options: JobRoutesOptions): RequestHandler {
	return async (ctx) => {
		const { open, job } = await findJob(ctx, options.jobs);
		const again = await open.service.retry(job);
		ctx.status = 202;
		ctx.body = await shown(again, open, options);
	};
}

/** Throws `not_found`, also for jobs of other owners. */
export async function findJob(
	ctx: RequestContext,
	jobs: ServerJobs,
): Promise<{ readonly open: OpenJobs; readonly job: Job }> {
	const id = ctx.params.id ?? '';
	const open = await jobs.find();
	if (open === undefined) throw new EarshotError('not_found', `There is no job \`${id.slice(0, 80)}\``);
	return { open, job: await open.service.find(ctx.state.owner, id) };
}

interface Waiting {
	readonly waitMs: number;
	readonly hasChanged: (job: Job) => Promise<boolean>;
	readonly clock: Clock;
}

/** The job once it has changed, or after the wait. */
async function waitForChange(
	{ state }: RequestContext,
	{ storage, service }: OpenJobs,
	job: Job,
	{ waitMs, hasChanged, clock }: Waiting,
): Promise<Job> {
	if (waitMs === 0) return job;
	const control = new AbortController();
	const stop = clock.after(waitMs, () => control.abort());
	const signal = AbortSignal.any([control.signal, state.signal]);
	// Subscribes before reading the job again, so that no change is missed.
	const events = storage.queue.watch(job.id, signal);
	try {
		let now = await service.find(state.owner, job.id);
		if (await hasChanged(now)) return now;
		for await (const _ of events) {
			now = await service.find(state.owner, job.id);
			if (await hasChanged(now)) return now;
		}
		return now;
	} finally {
		stop();
		control.abort();
	}
}

async function shown(job: Job, open: OpenJobs | undefined, { admission }: JobRoutesOptions): Promise<object> {
	const progress = isFinished(job) ? null : ((await open?.storage.queue.progress(job.id)) ?? null);
	return jobObject(job, progress, (model, seconds) => admission.secondsFor(model, seconds));
}

function etagOf(body: object): string {
	return `"${createHash('sha256').update(JSON.stringify(body)).digest('base64url').slice(0, 27)}"`;
}

/** Whether `If-None-Match` has the ETag. Proxies that compress an answer make its ETag a weak one. */
function isKnown(header: string, etag: string): boolean {
	return header.trim() === '*' || [...header.matchAll(/"[^"]*"/g)].some(([each]) => each === etag);
}

/** A page behind a job that is gone would look like the end of the list. Throws `invalid_request`. */
async function checkAfter(after: string, owner: string, open: OpenJobs | undefined): Promise<void> {
	try {
		if (await open?.service.find(owner, after)) return;
	} catch (thrown) {
		if (!(thrown instanceof EarshotError) || thrown.code !== 'not_found') throw thrown;
	}
	throw expected('after', 'the id of a job of this list', after);
}

function filterOf(ctx: RequestContext) {
	const query = new URLSearchParams(ctx.querystring);
	const given = query.get('limit') ?? String(defaultPageSize);
	const limit = /^\d{1,3}$/.test(given) ? Number(given) : 0;
	if (limit < 1 || limit > maxPageSize)
		throw expected('limit', `a whole number from 1 to ${maxPageSize}`, given);
	const order = choice(query, 'order', ['desc', 'asc'] as const) ?? 'desc';
	const status = choice(query, 'status', jobStatuses);
	const after = query.get('after');
	const pairs = new Map([...query.keys()].map((name) => [name, query.getAll(name)]));
	const metadata = parseMetadata(new Fields(pairs).pairs('metadata'));
	return { limit, order, metadata, ...(status && { status }), ...(after && { after }) };
}

function choice<T extends string>(
	query: URLSearchParams,
	name: string,
	allowed: readonly T[],
): T | undefined {
	const given = query.get(name);
	if (given === null || given === '') return undefined;
	const found = allowed.find((each) => each === given);
	if (found === undefined) throw expected(name, listed(allowed), given);
	return found;
}

function waitSecondsOf(ctx: RequestContext): number {
	const given = new URLSearchParams(ctx.querystring).get('wait') ?? '0';
	const seconds = /^\d{1,2}(\.\d+)?$/.test(given) ? Number(given) : Number.NaN;
	if (seconds <= maxWaitSeconds) return seconds;
	throw expected('wait', `a number of seconds from 0 to ${maxWaitSeconds}`, given);
}
