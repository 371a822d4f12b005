/** Creates a job from a request and answers 202. */

import { EarshotError } from '../../core/errors.js';
import type { ModelInfo } from '../../core/speech/model-info.js';
import type { Task } from '../../core/speech/transcript.js';
import type { Job } from '../../jobs/job.js';
import type { ModelPool } from '../../pool/model-pool.js';
import type { VoiceStore } from '../../speakers/voice-store.js';
import { enrolledFor } from '../job-worker/known-voices.js';
import { type Admission, estimatedSeconds } from '../request/admission.js';
import type { RequestContext } from '../request/context.js';
import { noDiarizer } from '../request/fields/speaker-fields.js';
import { fitToModel, ignoredHeader, type TranscriptionRequest } from '../request/parse.js';
import type { Upload } from '../upload/form.js';
import { idempotencyKeyOf, parseJobFields, prefersAsync } from './job-fields.js';
import { jobObject } from './job-object.js';
import type { ServerJobs } from './server-jobs.js';

export interface SubmitOptions {
	readonly jobs: ServerJobs;
	readonly pool: ModelPool;
	readonly admission: Admission;
	readonly voices: VoiceStore;
	/** Throws `invalid_request` for a webhook that is not allowed; undefined = webhooks are not supported. */
	readonly checkWebhook?: ((webhook: NonNullable<Job['webhook']>) => void) | undefined;
}

/** Smaller recordings are rarely long enough to be divided among workers. */
const minDividedBytes = 1 << 20;

/** Requests whose recordings are still being received, by owner and `Idempotency-Key`. */
const uploading = new Set<string>();

/** Calls `receive` unless a request with the same key is being received. Throws `conflict`. */
export async function onceAtATime<T>(ctx: RequestContext, receive: () => Promise<T>): Promise<T> {
	const key = idempotencyKeyOf(ctx);
	if (key === undefined) return await receive();
	const name = JSON.stringify([ctx.state.owner, key]);
	if (uploading.has(name))
		throw new EarshotError(
			'conflict',
			'An earlier request with the same `Idempotency-Key` is still being received: try again later',
			{ param: 'Idempotency-Key' },
		);
	uploading.add(name);
	try {
		return await receive();
	} finally {
		uploading.delete(name);
	}
}

/** Creates the job. Everything that can be validated is refused now rather than by the job. */
export async function submitJob(
	ctx: RequestContext,
	{ upload, request, task }: { upload: Upload; request: TranscriptionRequest; task: Task },
	options: SubmitOptions,
): Promise<void> {
	const { jobs, pool, admission } = options;
	const fields = parseJobFields(upload.fields);
	const model = pool.idOf(request.model ?? pool.defaultModel);
	ctx.state.logged.model = model;
	const ignored = ignoredBy(request, model, pool);
	if (ignored.length > 0) ctx.set(ignoredHeader, ignored.join(', '));
	if (request.speakers && pool.diarizer === undefined) throw noDiarizer(request.speakers.param);
	// Fails now if a voice is not enrolled.
	const enrolled = request.speakers && (await enrolledFor(request.speakers, options.voices));
	if (fields.webhook) checkWebhook(fields.webhook, options);
	const { service, storage } = await jobs.get();
	const { job, isNew } = await service.submit({
		...{ owner: ctx.state.owner, task, model, ...fields, format: request.format },
		estimatedSeconds: estimatedSeconds(upload.bytes),
		// Diarization needs the whole recording.
		mayDivide: request.speakers === null && upload.bytes >= minDividedBytes,
		request: {
			fields: [...upload.fields],
			...(ctx.params.model !== undefined && { deployment: ctx.params.model }),
			...(enrolled && { enrolled }),
		},
		recording: upload.recording,
		bytes: upload.bytes,
		idempotencyKey: idempotencyKeyOf(ctx),
	});
	ctx.status = isNew ? 202 : 200;
	ctx.set('location', `/v1/transcription_jobs/${job.id}`);
	if (prefersAsync(ctx)) ctx.set('preference-applied', 'respond-async');
	if (!isNew) ctx.set('idempotent-replayed', 'true');
	const estimate = (id: string, seconds: number): number => admission.secondsFor(id, seconds);
	ctx.body = jobObject(job, await storage.queue.progress(job.id), estimate);
}

/** Fields that have no effect on this model. If its capabilities are not known before it is loaded, the job fails later
 * instead. Throws like `fitToModel`. */
function ignoredBy(request: TranscriptionRequest, id: string, pool: ModelPool): readonly string[] {
	const listed = pool.models.find((model) => model.id === id);
	if (!listed?.capabilities) return request.ignored;
	const info: ModelInfo = {
		...{ id, engine: '', type: listed.type, device: '' },
		capabilities: listed.capabilities,
	};
	return fitToModel(request, info).ignored;
}

function checkWebhook(webhook: NonNullable<Job['webhook']>, { checkWebhook }: SubmitOptions): void {
	if (checkWebhook === undefined)
		throw new EarshotError('unsupported_value', 'This server sends no webhooks', { param: 'webhook_url' });
	checkWebhook(webhook);
}
