/** GET /v1/transcription_jobs/{id}/result: the transcript in any format, also while the job is running. */

import { EarshotError, expected } from '../../core/errors.js';
import { finished } from '../../core/speech/assemble.js';
import type { ClipEvent, PipelineEvent } from '../../core/speech/events.js';
import type { Transcript } from '../../core/speech/transcript.js';
import { type FormatName, formats } from '../../formats/formats.js';
import type { Include } from '../../formats/include.js';
import { isFinished, type Job } from '../../jobs/job.js';
import type { RequestHandler } from '../request/context.js';
import { type FormFields, fieldOf } from '../request/fields/fields.js';
import { parseRequest, type TranscriptionRequest } from '../request/parse.js';
import { findJob, type JobRoutesOptions } from './job-routes.js';
import type { OpenJobs } from './server-jobs.js';

/** Fields that decide how a transcript is rendered; those of the query take precedence over those of the job. */
const fieldsOfForm: readonly string[] = [
	'response_format',
	'timestamp_granularities',
	'include',
	'subtitles',
	'max_line_width',
	'max_line_count',
	'max_words_per_line',
	'highlight_words',
];

export function jobResult({ jobs }: Pick<JobRoutesOptions, 'jobs'>): RequestHandler {
	return async (ctx) => {
		const query = new URLSearchParams(ctx.querystring);
		const { open, job } = await findJob(ctx, jobs);
		const isPart = wantsPart(query) && !isFinished(job);
		const transcript = isPart ? await partOf(open, job) : (await open.service.result(job)).transcript;
		const { format, include, wordsIfPossible, subtitles } = await formOf(open, job, query);
		const hasWords = transcript.segments.some(({ words = [] }) => words.length > 0);
		const shown = { ...include, words: include.words || (wordsIfPossible && hasWords) };
		checkMade(format, shown, subtitles.highlightWords === true, transcript);
		ctx.type = formats[format].contentType;
		ctx.body = formats[format].render(transcript, shown, subtitles);
		if (isPart) ctx.set('x-earshot-partial', 'true');
		else await open.service.markRead(job);
	};
}

/** The finished part as a transcript. With diarization it is empty until the end. */
async function partOf({ storage, service }: OpenJobs, job: Job): Promise<Transcript> {
	const { fields, deployment } = await service.request(job);
	const { speakers, language } = parseRequest(new Map(fields), job.task, { deployment });
	const clips = speakers === null ? await storage.queue.clips(job.id) : [];
	const about = { model: job.model, task: job.task, language: language?.[0] ?? null };
	for await (const event of finished(eventsOf(clips), about))
		if (event.type === 'done') return event.transcript;
	throw new EarshotError('internal', 'the clips of a job make no transcript');
}

async function* eventsOf(clips: readonly ClipEvent[]): AsyncGenerator<PipelineEvent> {
	yield* clips;
	const duration = clips.at(-1)?.processed ?? 0;
	yield { type: 'ended', duration, timing: { decode: 0, queue: 0, run: 0 } };
}

/** How to render the transcript: from the query, else from the job's request. */
async function formOf(open: OpenJobs, job: Job, query: URLSearchParams): Promise<TranscriptionRequest> {
	const given: FormFields = new Map([...new Set(query.keys())].map((name) => [name, query.getAll(name)]));
	const isOfForm = (name: string): boolean => fieldsOfForm.includes(fieldOf(name) ?? '');
	const asked = [...given].filter(([name]) => isOfForm(name));
	const form =
		asked.length > 0 ? asked : (await open.service.request(job)).fields.filter(([name]) => isOfForm(name));
	const hasFormat = form.some(([name]) => name === 'response_format');
	return parseRequest(
		new Map([...form, ...(hasFormat ? [] : [['response_format', [job.format]] as const])]),
		job.task,
	);
}

/** Refuses formats and options that the job's own request would have had to include. */
function checkMade(
	format: FormatName,
	{ words, logprobs }: Include,
	highlights: boolean,
	{ segments, text }: Transcript,
): void {
	if (text === '') return;
	const refuse = (param: string, what: string, field: string): never => {
		throw new EarshotError('unsupported_value', `${what} needs a job made with \`${field}\``, { param });
	};
	const hasWords = segments.some((segment) => (segment.words ?? []).length > 0);
	if (words && !hasWords)
		refuse('timestamp_granularities', '`timestamp_granularities[]=word`', 'timestamp_granularities[]=word');
	if (highlights && !hasWords)
		refuse('highlight_words', '`highlight_words`', 'timestamp_granularities[]=word');
	if (logprobs && segments.every((segment) => segment.logprobs === undefined))
		refuse('include', '`include[]=logprobs`', 'include[]=logprobs');
	if (format === 'diarized_json' && segments.every(({ speaker }) => speaker === undefined))
		refuse('response_format', '`response_format` = `diarized_json`', 'diarize=true');
}

function wantsPart(query: URLSearchParams): boolean {
	const given = query.get('partial') ?? 'false';
	if (given === 'true' || given === '1') return true;
	if (given === 'false' || given === '0' || given === '') return false;
	throw expected('partial', '`true` or `false`', given);
}
