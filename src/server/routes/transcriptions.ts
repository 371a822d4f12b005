/** POST /v1/audio/transcriptions and /v1/audio/translations: upload, validate, transcribe, answer. */

import { once } from 'node:events';
import { type Clock, maxTimerMs } from '../../core/clock.js';
import { EarshotError, expected, shortened } from '../../core/errors.js';
import { type Log, silentLog } from '../../core/log.js';
import type { Metrics } from '../../core/metrics.js';
import type { Timing } from '../../core/speech/timing.js';
import type { Task, Transcript, TranscriptEvent, WarningCode } from '../../core/speech/transcript.js';
import { formats } from '../../formats/formats.js';
import { frame, StreamEvents } from '../../formats/stream-events.js';
import { round } from '../../formats/verbose-json.js';
import type { Lease, ModelPool } from '../../pool/model-pool.js';
import type { VoiceStore } from '../../speakers/voice-store.js';
import { withSpeakers } from '../../speakers/with-speakers.js';
import { speakerOptionsFor } from '../job-worker/known-voices.js';
import { prefersAsync, taskOf, wantsBackground } from '../jobs/job-fields.js';
import type { ServerJobs } from '../jobs/server-jobs.js';
import { onceAtATime, type SubmitOptions, submitJob } from '../jobs/submit.js';
import { type Admission, estimatedSeconds, type QueueTicket } from '../request/admission.js';
import type { RequestContext, RequestHandler } from '../request/context.js';
import { openEventStream, sendFailure } from '../request/event-stream.js';
import {
	type FittedRequest,
	fitToModel,
	ignoredHeader,
	parseRequest,
	type TranscriptionRequest,
} from '../request/parse.js';
import type { Upload } from '../upload/form.js';
import type { UploadLimits } from '../upload/limits.js';
import { uploadReceiver } from '../upload/receive.js';
import { leaseDiarizer } from './speakers.js';

export interface TranscriptionsOptions {
	readonly pool: ModelPool;
	readonly limits: UploadLimits;
	readonly admission: Admission;
	/** Time limit of a request; 0 = none. */
	readonly maxRequestMs: number;
	/** Maximum references of known speakers in a request. */
	readonly maxKnownSpeakers: number;
	readonly voices: VoiceStore;
	readonly jobs: ServerJobs;
	readonly checkWebhook?: SubmitOptions['checkWebhook'];
	readonly metrics: Metrics;
	readonly clock: Clock;
	readonly log?: Log;
}

/** How often a stream reports its position in the queue while other recordings are ahead. */
const positionEveryMs = 5_000;

/** The client's time limit, ms; the server's own may be shorter. */
export const timeoutHeader = 'x-earshot-timeout-ms';

export function transcriptions(kind: Task | 'job', options: TranscriptionsOptions): RequestHandler {
	const { pool, limits, admission, clock } = options;
	const receiveUpload = uploadReceiver(limits, kind === 'job');
	const reportIgnored = ignoredReporter(options.log ?? silentLog);
	return async (ctx) => {
		const { signal, logged } = ctx.state;
		let upload: Upload | undefined;
		let lease: Lease | undefined;
		let diarizer: Lease | undefined;
		let ticket: QueueTicket | undefined;
		const stopDeadline = startDeadline(ctx, options, () => lease?.info.id ?? '');
		try {
			const receive = () => receiveUpload(ctx, signal);
			upload = await (kind === 'job' || prefersAsync(ctx) ? onceAtATime(ctx, receive) : receive());
			const task = kind === 'job' ? taskOf(upload.fields) : kind;
			const request = parseRequest(upload.fields, task, {
				deployment: ctx.params.model,
				maxKnownSpeakers: options.maxKnownSpeakers,
			});
			if (kind === 'job' || wantsBackground(ctx, upload.fields)) {
				await submitJob(ctx, { upload, request, task }, options);
				return;
			}
			const model = request.model ?? pool.defaultModel;
			logged.model = shortened(model);
			logged.format = request.format;
			// Leased first, so that the request fails early if it is missing.
			if (request.speakers) diarizer = await leaseDiarizer(pool, request.speakers.param, signal);
			const speakers = await speakerOptionsFor(request.speakers, options.voices);
			lease = await pool.lease(model, signal);
			logged.model = lease.info.id;
			const fitted = fitToModel(request, lease.info);
			reportIgnored(ctx, lease.info.id, fitted.ignored);
			ticket = admission.admit(lease.info.id, estimatedSeconds(upload.bytes));
			const events = diarizer
				? withSpeakers(lease, diarizer, upload.recording, { ...fitted.options, speakers }, signal)
				: lease.transcribe(upload.recording, fitted.options, signal);
			const watch = watcher(ctx, ticket, options.metrics);
			const form = { format: request.format, include: fitted.include, subtitles: request.subtitles };
			if (request.stream) await answerStream(ctx, form, events, watch, ticket, clock);
			else await answerWhole(ctx, form, events, watch);
		} finally {
			stopDeadline();
			ticket?.leave();
			lease?.release();
			diarizer?.release();
			await upload?.discard();
		}
	};
}

/** Reports ignored fields: to each client in a header, and to the log once for each model and field, since programs
 * send them with every request. */
function ignoredReporter(log: Log): (ctx: RequestContext, model: string, ignored: readonly string[]) => void {
	const logged = new Set<string>();
	return (ctx, model, ignored) => {
		if (ignored.length === 0) return;
		ctx.set(ignoredHeader, ignored.join(', '));
		const fields = ignored.filter((field) => !logged.has(`${model} ${field}`));
		for (const field of fields) logged.add(`${model} ${field}`);
		if (fields.length > 0)
			log.info(
				{ model, fields },
				`fields have no effect on this model; the response names them in ${ignoredHeader}`,
			);
	};
}

/** Ends the request with `deadline_exceeded` when its time limit is reached. Returns a function that stops the timer. */
function startDeadline(
	ctx: RequestContext,
	{ maxRequestMs, metrics, clock }: TranscriptionsOptions,
	model: () => string,
): () => void {
	const requested = ctx.get(timeoutHeader);
	if (requested !== '' && !/^[1-9]\d{0,9}$/.test(requested)) {
		throw expected(timeoutHeader, 'a whole number of milliseconds, 1 or more', requested);
	}
	const limitsMs = [maxRequestMs, Number(requested)].filter((ms) => ms > 0);
	if (limitsMs.length === 0) return () => {};
	const ms = Math.min(...limitsMs);
	return clock.after(Math.min(ms, maxTimerMs), () => {
		metrics.refused(model(), 'deadline');
		const whose = ms === maxRequestMs ? 'this server allows' : `\`${timeoutHeader}\` allows`;
		ctx.state.end(
			new EarshotError('deadline_exceeded', `The request took longer than the ${ms} ms that ${whose}`),
		);
	});
}

type Watch = (event: TranscriptEvent) => void;

/** Reports a recording's progress to its queue ticket, the log line and the metrics. */
function watcher({ state }: RequestContext, ticket: QueueTicket, metrics: Metrics): Watch {
	return (event) => {
		if (event.type === 'started') {
			if (event.duration !== null) ticket.setLength(event.duration);
		} else if (event.type === 'segments') {
			state.logged.audioSeconds = event.processed;
			ticket.processedUpTo(event.processed);
		} else {
			const { model, duration } = event.transcript;
			const warnings = warningCodesOf(event.transcript);
			state.logged.audioSeconds = duration;
			if (warnings.length > 0) state.logged.warnings = warnings;
			const untranscribed = untranscribedSeconds(event.transcript);
			if (untranscribed > 0) state.logged.untranscribedSeconds = untranscribed;
			ticket.processedUpTo(duration);
			const { decode, queue, run } = event.timing ?? noTime;
			metrics.transcribed(model, {
				audioSeconds: duration,
				totalMs: state.elapsedMs(),
				decodeMs: decode,
				queueMs: queue,
				runMs: run,
			});
		}
	};
}

const noTime: Timing = { decode: 0, queue: 0, run: 0 };

/** How a transcript is rendered. */
type Form = Pick<FittedRequest & TranscriptionRequest, 'format' | 'include' | 'subtitles'>;

async function answerWhole(
	ctx: RequestContext,
	{ format: name, include, subtitles }: Form,
	events: AsyncIterable<TranscriptEvent>,
	watch: Watch,
): Promise<void> {
	let transcript: Transcript | undefined;
	for await (const event of events) {
		watch(event);
		if (event.type !== 'done') continue;
		transcript = event.transcript;
		if (event.timing) ctx.set('server-timing', serverTiming(event.timing, ctx.state.elapsedMs()));
	}
	if (transcript === undefined) throw unfinished();
	const warnings = warningCodesOf(transcript);
	if (warnings.length > 0) ctx.set('x-earshot-warnings', warnings.join(', '));
	const untranscribed = untranscribedSeconds(transcript);
	if (untranscribed > 0) ctx.set('x-earshot-untranscribed-seconds', String(untranscribed));
	const format = formats[name];
	ctx.type = format.contentType;
	ctx.body = format.render(transcript, include, subtitles);
}

/** An error before the first event is an ordinary error response; later it is an event of the stream. */
async function answerStream(
	ctx: RequestContext,
	{ format, include }: Form,
	events: AsyncIterable<TranscriptEvent>,
	watch: Watch,
	ticket: QueueTicket,
	clock: Clock,
): Promise<void> {
	const { signal } = ctx.state;
	const { res } = ctx;
	const rendered = new StreamEvents(format, include);
	const send = async (data: object | '[DONE]'): Promise<void> => {
		// Backpressure: a slow client delays its own response and does not fill the server's memory.
		if (!res.write(frame(data))) await once(res, 'drain', { signal });
	};
	const sendPosition = (): void => {
		const { recordings, seconds } = ticket.position;
		if (recordings > 0) res.write(`: queued position=${recordings} seconds=${seconds}\n\n`);
	};
	let stopKeepAlive: (() => void) | undefined;
	let stopPosition: (() => void) | undefined;
	let done = false;
	try {
		for await (const event of events) {
			watch(event);
			if (stopKeepAlive === undefined) {
				stopKeepAlive = openEventStream(ctx, clock);
				sendPosition();
				stopPosition = clock.every(positionEveryMs, sendPosition);
			}
			if (event.type === 'segments') {
				// The recording is no longer waiting.
				stopPosition?.();
				for (const next of rendered.next(event.segments)) await send(next);
			}
			if (event.type === 'done') {
				for (const last of rendered.done(event.transcript)) await send(last);
				await send('[DONE]');
				done = true;
			}
		}
		if (!done) throw unfinished();
	} catch (thrown) {
		if (stopKeepAlive === undefined) throw thrown;
		sendFailure(ctx, thrown);
	} finally {
		stopPosition?.();
		stopKeepAlive?.();
		if (stopKeepAlive !== undefined) res.end();
	}
}

/** The codes, each once. */
function warningCodesOf({ warnings = [] }: Transcript): WarningCode[] {
	return [...new Set(warnings.map(({ code }) => code))];
}

/** The total of all channels. */
function untranscribedSeconds({ untranscribed = [] }: Transcript): number {
	return round(untranscribed.reduce((sum, { start, end }) => sum + end - start, 0));
}

/** A `Server-Timing` header, as browsers' developer tools show it. */
function serverTiming({ decode, queue, run }: Timing, totalMs: number): string {
	return Object.entries({ decode, queue, run, total: totalMs })
		.map(([name, ms]) => `${name};dur=${ms.toFixed(1)}`)
		.join(', ');
}

function unfinished(): EarshotError {
	return new EarshotError('internal', 'the model ended without a transcript');
}
