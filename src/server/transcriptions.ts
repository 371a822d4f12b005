/** POST /v1/audio/transcriptions and /v1/audio/translations: upload, validate, transcribe, answer. */

import { once } from 'node:events';
import type { Clock } from '../clock.js';
import { EarshotError } from '../errors.js';
import { formats } from '../formats/formats.js';
import { frame, StreamEvents } from '../formats/stream-events.js';
import type { Lease, ModelPool } from '../pool/model-pool.js';
import type { Task, Transcript, TranscriptEvent } from '../transcriber/transcript.js';
import type { RequestContext } from './context.js';
import { asFailure, errorBody, noteFailure } from './failure.js';
import { fitToModel, parseRequest, type TranscriptionRequest } from './request.js';
import { receiveUpload, type UploadLimits } from './upload.js';

export interface TranscriptionsOptions {
	readonly pool: ModelPool;
	readonly limits: UploadLimits;
	readonly clock: Clock;
}

/** Long enough to be rare, short enough for the proxies that give up on a silent answer after 30 s or a minute. */
const keepAliveMs = 15_000;

export function transcriptions(
	task: Task,
	{ pool, limits, clock }: TranscriptionsOptions,
): (ctx: RequestContext) => Promise<void> {
	return async (ctx) => {
		const { signal, logged } = ctx.state;
		const upload = await receiveUpload(ctx, limits);
		let lease: Lease | undefined;
		try {
			const request = parseRequest(upload.fields, task);
			const model = request.model ?? pool.defaultModel;
			logged.model = model;
			logged.format = request.format;
			lease = await pool.lease(model, signal);
			logged.model = lease.facts.id;
			const options = fitToModel(request, lease.facts);
			const events = lease.transcribe(upload.recording, options, signal);
			if (request.stream) await answerStream(ctx, request, events, clock);
			else await answerWhole(ctx, request, events);
		} finally {
			lease?.release();
			await upload.discard();
		}
	};
}

async function answerWhole(
	ctx: RequestContext,
	request: TranscriptionRequest,
	events: AsyncIterable<TranscriptEvent>,
): Promise<void> {
	let transcript: Transcript | undefined;
	for await (const event of events) {
		if (event.type === 'started') ctx.state.logged.audioSeconds = event.duration;
		if (event.type === 'done') transcript = event.transcript;
	}
	if (transcript === undefined) throw unfinished();
	const format = formats[request.format];
	ctx.type = format.contentType;
	ctx.body = format.render(transcript, request.shape);
}

/** What goes wrong before the first event is an ordinary error answer; later it is an event of the stream. */
async function answerStream(
	ctx: RequestContext,
	request: TranscriptionRequest,
	events: AsyncIterable<TranscriptEvent>,
	clock: Clock,
): Promise<void> {
	const { signal, logged } = ctx.state;
	const { res } = ctx;
	const rendered = new StreamEvents(request.shape);
	const send = async (data: object | '[DONE]'): Promise<void> => {
		// A client that reads slowly holds up its own answer, not our memory.
		if (!res.write(frame(data))) await once(res, 'drain', { signal });
	};
	let stopKeepAlive: (() => void) | undefined;
	let done = false;
	try {
		for await (const event of events) {
			if (stopKeepAlive === undefined) {
				openStream(ctx);
				stopKeepAlive = clock.every(keepAliveMs, () => res.write(': keep-alive\n\n'));
			}
			if (event.type === 'started') logged.audioSeconds = event.duration;
			if (event.type === 'segments') {
				const delta = rendered.delta(event.segments);
				if (delta !== undefined) await send(delta);
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
		const failure = asFailure(thrown, signal);
		noteFailure(logged, failure);
		if (!res.destroyed) res.write(frame(errorBody(failure)));
	} finally {
		stopKeepAlive?.();
		if (stopKeepAlive !== undefined) res.end();
	}
}

function openStream(ctx: RequestContext): void {
	ctx.state.stamp();
	ctx.respond = false;
	ctx.res.writeHead(200, {
		'content-type': 'text/event-stream; charset=utf-8',
		'cache-control': 'no-cache',
		// nginx would hold the events back until it has a buffer full.
		'x-accel-buffering': 'no',
	});
	ctx.res.flushHeaders();
}

function unfinished(): EarshotError {
	return new EarshotError('internal', 'the model ended without a transcript');
}
