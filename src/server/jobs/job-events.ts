/** GET /v1/transcription_jobs/{id}/events: streams the events of a job, from its beginning or from the `Last-Event-ID`
 * of a broken connection. */

import { once } from 'node:events';
import { EarshotError, expected, fromWire } from '../../core/errors.js';
import { EventQueue } from '../../core/event-queue.js';
import { finished } from '../../core/speech/assemble.js';
import type { ClipEvent, PipelineEvent } from '../../core/speech/events.js';
import type { Segment, TranscriptEvent } from '../../core/speech/transcript.js';
import { frame, StreamEvents } from '../../formats/stream-events.js';
import { isFinished, type Job } from '../../jobs/job.js';
import type { RequestContext, RequestHandler } from '../request/context.js';
import { openEventStream, sendFailure } from '../request/event-stream.js';
import { parseRequest } from '../request/parse.js';
import { findJob, type JobRoutesOptions } from './job-routes.js';
import type { OpenJobs } from './server-jobs.js';

/** The events of a job, in the order of the recording. */
type JobUpdate =
	| { readonly type: 'clip'; readonly clip: ClipEvent }
	| { readonly type: 'progress'; readonly processed: number; readonly duration: number | null }
	| { readonly type: 'ended'; readonly job: Job };

export function jobEvents({ jobs, clock }: JobRoutesOptions): RequestHandler {
	return async (ctx) => {
		const known = lastEventId(ctx);
		const { open, job } = await findJob(ctx, jobs);
		const { fields, deployment } = await open.service.request(job);
		const request = parseRequest(new Map(fields), job.task, { deployment });
		const events = new StreamEvents(request.format, request.include);
		const stop = openEventStream(ctx, clock);
		try {
			const updates = updatesOf(ctx, open, job);
			// With diarization the text has speakers, which are known only at the end.
			for await (const line of linesOf(updates, open, {
				events,
				known,
				hasClips: request.speakers === null,
				job,
			}))
				if (!ctx.res.write(line)) await once(ctx.res, 'drain', { signal: ctx.state.signal });
		} catch (thrown) {
			sendFailure(ctx, thrown);
		} finally {
			stop();
			ctx.res.end();
		}
	};
}

interface LineOptions {
	readonly events: StreamEvents;
	/** Number of clips that the client has received before. */
	readonly known: number;
	readonly hasClips: boolean;
	readonly job: Job;
}

/** The server-sent events. The id of an event is the number of clips whose text has been sent with it. */
async function* linesOf(
	news: AsyncIterable<JobUpdate>,
	{ service }: OpenJobs,
	{ events, known, hasClips, job }: LineOptions,
): AsyncGenerator<string> {
	const assembler = new Assembler(job);
	let processed = -1;
	for await (const next of news) {
		if (next.type === 'ended') {
			yield* await ending(next.job, events, service);
			return;
		}
		if (next.type === 'clip') {
			if (!hasClips) continue;
			const id = next.clip.clip + 1;
			const frames = events.next(await assembler.add(next.clip));
			if (id > known) for (const each of frames) yield `id: ${id}\n${frame(each)}`;
		} else if (next.processed > processed) {
			({ processed } = next);
			yield frame({
				type: 'job.progress',
				processed_seconds: processed,
				duration_seconds: next.duration,
			});
		}
	}
	throw new EarshotError('closed', 'the server is shutting down: the job continues later');
}

async function ending(job: Job, events: StreamEvents, service: OpenJobs['service']): Promise<string[]> {
	if (job.status === 'completed') {
		const { transcript } = await service.result(job);
		const last = events.done(transcript);
		return [...last.map((each) => frame(each)), frame('[DONE]')];
	}
	if (job.error) throw fromWire(job.error);
	throw new EarshotError('not_found', `The job \`${job.id}\` is ${job.status}`);
}

/** The existing clips, then new ones; each once, in order. */
async function* updatesOf({ state }: RequestContext, open: OpenJobs, job: Job): AsyncGenerator<JobUpdate> {
	const { storage, service } = open;
	const control = new AbortController();
	const events = storage.queue.watch(job.id, AbortSignal.any([control.signal, state.signal]));
	let clips = 0;
	const rest = async (): Promise<JobUpdate[]> => {
		const there = (await storage.queue.clips(job.id)).slice(clips);
		clips += there.length;
		return there.map((clip) => ({ type: 'clip', clip }));
	};
	try {
		yield* await rest();
		let now = await service.find(state.owner, job.id);
		if (isFinished(now)) {
			yield* await rest();
			yield { type: 'ended', job: now };
			return;
		}
		const progress = await storage.queue.progress(job.id);
		if (progress) yield { type: 'progress', ...progress };
		for await (const event of events) {
			if (event.type === 'progress') yield event;
			else if (event.type === 'clip') {
				if (event.clip.clip === clips) {
					clips++;
					yield { type: 'clip', clip: event.clip };
				} else if (event.clip.clip > clips) yield* await rest();
			} else {
				now = await service.find(state.owner, job.id);
				yield* await rest();
				if (!isFinished(now)) continue;
				yield { type: 'ended', job: now };
				return;
			}
		}
	} finally {
		control.abort();
	}
}

/** Numbers the segments of clips that arrive one by one. */
class Assembler {
	readonly #clips = new EventQueue<PipelineEvent>();
	readonly #events: AsyncGenerator<TranscriptEvent>;

	constructor({ model, task }: Job) {
		this.#events = finished(this.#clips, { model, task, language: null });
	}

	/** The segments that are ready now. */
	async add(clip: ClipEvent): Promise<readonly Segment[]> {
		this.#clips.push(clip);
		const { value } = await this.#events.next();
		return value?.type === 'segments' ? value.segments : [];
	}
}

function lastEventId(ctx: RequestContext): number {
	const given = ctx.get('last-event-id');
	if (given === '') return 0;
	if (/^\d{1,9}$/.test(given)) return Number(given);
	throw expected('Last-Event-ID', 'a whole number, as an earlier event had it', given);
}
