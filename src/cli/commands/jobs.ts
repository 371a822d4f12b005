/** `earshot jobs`, and `earshot transcribe --background FILE`: jobs of a running server, through its HTTP API. */

import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { SettingTexts } from '../../core/config/settings.js';
import { EarshotError, expected, reasonOf } from '../../core/errors.js';
import { requestServer, requestText } from '../client/request-server.js';
import { jsonText, table } from '../ui/table.js';

interface JobBody {
	readonly id: string;
	readonly status: string;
	readonly progress: number | null;
	readonly created_at: number;
	readonly model: string;
	readonly processed_seconds: number;
	readonly queue: { readonly position: number; readonly seconds: number } | null;
	readonly error: { readonly code: string; readonly message: string } | null;
}

interface Page {
	readonly data: readonly JobBody[];
	readonly last_id: string | null;
	readonly has_more: boolean;
}

const root = '/v1/transcription_jobs';

export interface JobsCommand {
	readonly flags: SettingTexts;
	readonly json: boolean;
	/** Format of the transcript; undefined = as the job's request said. */
	readonly format: string | undefined;
}

export async function jobs(
	action: 'list' | 'show' | 'wait' | 'cancel',
	ids: readonly string[],
	{ flags, json, format }: JobsCommand,
): Promise<void> {
	if (action === 'list') {
		if (ids.length > 0) throw expected('job', 'absent: `list` lists all', ids[0]);
		return await printJobs(flags, json);
	}
	if (ids.length === 0) throw expected('job', 'the id of a job', undefined);
	if (action === 'cancel') return await cancelJobs(ids, flags);
	for (const id of ids)
		if (action === 'show') await printJob(id, flags);
		else await waitForJob(id, format, flags);
}

/** Prints all jobs, the newest first. */
async function printJobs(flags: SettingTexts, asJson: boolean): Promise<void> {
	const jobs: JobBody[] = [];
	for (let after = ''; ; ) {
		const page = await requestServer<Page>(flags, 'GET', `${root}?limit=100${after}`);
		jobs.push(...page.data);
		if (!page.has_more || page.last_id === null) break;
		after = `&after=${page.last_id}`;
	}
	if (asJson) {
		process.stdout.write(jsonText(jobs));
		return;
	}
	const rows = jobs.map((job) => [job.id, job.status, progressText(job), job.model, timeOf(job)]);
	process.stdout.write(table([['JOB', 'STATUS', 'PROGRESS', 'MODEL', 'CREATED'], ...rows]));
}

async function printJob(id: string, flags: SettingTexts): Promise<void> {
	process.stdout.write(jsonText(await requestServer<JobBody>(flags, 'GET', pathOf(id))));
}

/** Cancels jobs; deletes those that are finished. */
async function cancelJobs(ids: readonly string[], flags: SettingTexts): Promise<void> {
	for (const id of ids) {
		const job = await requestServer<JobBody & { readonly deleted?: boolean }>(flags, 'DELETE', pathOf(id));
		process.stdout.write(`${job.id} ${job.deleted ? 'deleted' : job.status}\n`);
	}
}

/** Waits until the job is finished and prints the result. Throws the job's error. */
async function waitForJob(id: string, format: string | undefined, flags: SettingTexts): Promise<void> {
	for (;;) {
		const job = await requestServer<JobBody>(flags, 'GET', `${pathOf(id)}?wait=60`);
		if (job.status === 'queued' || job.status === 'in_progress') continue;
		if (job.status !== 'completed')
			throw new EarshotError('invalid_request', job.error?.message ?? `The job \`${id}\` is ${job.status}`);
		const query = format === undefined ? '' : `?response_format=${format}`;
		const { text } = await requestText(flags, 'GET', `${pathOf(id)}/result${query}`);
		process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
		return;
	}
}

/** Fields of the request, by their names in the form. */
export type JobRequestFields = Readonly<Record<string, string | undefined>>;

/** Sends recordings to the server, and prints the ids of their jobs. */
export async function transcribeInBackground(
	files: readonly string[],
	fields: JobRequestFields,
	flags: SettingTexts,
): Promise<void> {
	for (const file of files) {
		const size = await sizeOf(file);
		const given = Object.entries(fields).flatMap(([name, value]) =>
			value === undefined ? [] : [[name, value] as [string, string]],
		);
		const query = new URLSearchParams([...given, ['metadata[file]', file.slice(-512)]]);
		const job = await requestServer<JobBody>(flags, 'POST', `${root}?${query}`, {
			body: createReadStream(file),
			headers: { 'content-type': 'application/octet-stream', 'content-length': String(size) },
		});
		process.stdout.write(`${job.id} ${file}\n`);
	}
}

async function sizeOf(file: string): Promise<number> {
	try {
		const found = await stat(file);
		if (found.isFile()) return found.size;
	} catch (cause) {
		throw new EarshotError('not_found', `${file} cannot be read: ${reasonOf(cause)}`, { cause });
	}
	throw expected('file', 'a file: a server gets no folder and no standard input in the background', file);
}

function pathOf(id: string): string {
	return `${root}/${encodeURIComponent(id)}`;
}

function progressText({ progress, queue, processed_seconds }: JobBody): string {
	if (queue) return `${queue.position} ahead`;
	return progress === null ? `${Math.floor(processed_seconds)} s` : `${progress} %`;
}

function timeOf({ created_at }: JobBody): string {
	return new Date(created_at * 1000).toISOString().slice(0, 19).replace('T', ' ');
}
