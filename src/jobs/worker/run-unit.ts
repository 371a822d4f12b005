/** One unit of work: a job's recording, by the models of this process's pool. */

import { createWriteStream } from 'node:fs';
import { unlink } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { asEarshotError, EarshotError, type ErrorCode, toWire } from '../../errors.js';
import type { Metrics } from '../../metrics.js';
import type { Lease, ModelPool } from '../../pool/model-pool.js';
import { type Admission, estimatedSeconds } from '../../server/request/admission.js';
import { fitToModel, parseRequest } from '../../server/request/parse.js';
import { withSpeakers } from '../../speakers/with-speakers.js';
import type { Recording } from '../../speech/recording.js';
import type { TranscriptEvent } from '../../speech/transcript.js';
import type { VoiceStore } from '../../voices/store.js';
import { jsonBytes, readBlob } from '../blobs.js';
import type { RequestBlob, ResultBlob } from '../contents.js';
import { blobNames, type Job } from '../job.js';
import type { UnitLease } from '../queue.js';
import type { JobStorage } from '../storage.js';
import { knownBy } from './known-voices.js';

export interface UnitTools {
	readonly storage: JobStorage;
	readonly pool: ModelPool;
	readonly admission: Admission;
	readonly maxKnownSpeakers: number;
	readonly voices: VoiceStore;
	/** For recordings that lie on another machine. */
	readonly temporaryFolder: string;
	readonly metrics: Metrics;
	readonly elapsedMs: () => number;
}

/** Failures that pass by themselves. */
const passing: readonly ErrorCode[] = [
	'overloaded',
	'model_backoff',
	'out_of_memory',
	'too_many_open_files',
	'disk_full',
	'closed',
];

/** Tells the lease how it ends, and throws only what the lease throws. `stopping` aborts when this process is to end. */
export async function runUnit(
	lease: UnitLease,
	job: Job,
	tools: UnitTools,
	stopping: AbortSignal,
): Promise<void> {
	const signal = AbortSignal.any([lease.signal, stopping]);
	try {
		const result = await transcribed(lease, job, tools, signal);
		// A result that nobody may count is not written over one that counts.
		if (lease.signal.aborted) return;
		const { blobs } = tools.storage;
		const key = `${job.id}/${blobNames.result}`;
		await lease.done(await blobs.put(key, jsonBytes(result satisfies ResultBlob)));
	} catch (thrown) {
		if (lease.signal.aborted) return;
		if (stopping.aborted) {
			await lease.release();
			return;
		}
		const failure = asEarshotError(thrown);
		await lease.fail(toWire(failure), passing.includes(failure.code));
	}
}

async function transcribed(
	lease: UnitLease,
	job: Job,
	tools: UnitTools,
	signal: AbortSignal,
): Promise<ResultBlob> {
	const { pool, storage, admission, maxKnownSpeakers } = tools;
	const blob = await readBlob(storage.blobs, job.request.key);
	const { fields, deployment } = JSON.parse(blob.toString('utf8')) as RequestBlob;
	const request = parseRequest(new Map(fields), job.task, { deployment, maxKnownSpeakers });
	const ticket = admission.join(job.model, estimatedSeconds(job.bytes), job.priority);
	const leases: Lease[] = [];
	const file = await localFile(job, tools, signal);
	try {
		const diarizer = request.speakers && (await pool.lease(diarizerOf(pool), signal));
		if (diarizer) leases.push(diarizer);
		const model = await pool.lease(job.model, signal);
		leases.push(model);
		const options = {
			...fitToModel(request, model.info).options,
			...(job.priority === 'bulk' && { background: true }),
		};
		const resumable = checkpointed(model, lease);
		const events = diarizer
			? withSpeakers(
					resumable,
					diarizer,
					file.recording,
					{ ...options, speakers: await knownBy(request.speakers, tools.voices) },
					signal,
				)
			: resumable.transcribe(file.recording, options, signal);
		return await resultOf(events, lease, job, tools, ticket);
	} finally {
		ticket.leave();
		for (const each of leases) each.release();
		await file.remove();
	}
}

/** The model, which goes on behind the clips that earlier leases have finished. */
function checkpointed(model: Lease, lease: UnitLease): Pick<Lease, 'transcribe'> {
	return {
		transcribe: (recording, options, signal) =>
			model.transcribe(recording, options, signal, {
				done: lease.clips,
				// A clip that could not be kept is transcribed again, should it come to that.
				onClip: (clip) => void lease.checkpoint(clip).catch(() => {}),
			}),
	};
}

async function resultOf(
	events: AsyncIterable<TranscriptEvent>,
	lease: UnitLease,
	job: Job,
	{ metrics, elapsedMs }: UnitTools,
	ticket: ReturnType<Admission['join']>,
): Promise<ResultBlob> {
	const startedMs = elapsedMs();
	let length: number | null = null;
	for await (const event of events) {
		if (event.type === 'started') {
			length = event.duration;
			if (length !== null) ticket.setLength(length);
			await lease.progress(0, length);
		} else if (event.type === 'segments') {
			ticket.processedUpTo(event.processed);
			await lease.progress(event.processed, length);
		} else {
			const { transcript, timing } = event;
			ticket.processedUpTo(transcript.duration);
			const { decode: decodeMs, queue: queueMs, run: runMs } = timing ?? { decode: 0, queue: 0, run: 0 };
			const totalMs = elapsedMs() - startedMs;
			const times = { audioSeconds: transcript.duration, totalMs, decodeMs, queueMs, runMs };
			metrics.transcribed(job.model, times);
			return { transcript, ...(timing && { timing }) };
		}
	}
	throw new EarshotError('internal', 'the model ended without a transcript');
}

interface LocalFile {
	readonly recording: Recording;
	remove(): Promise<void>;
}

async function localFile(job: Job, tools: UnitTools, signal: AbortSignal): Promise<LocalFile> {
	const { blobs } = tools.storage;
	if (job.audio === null) throw new EarshotError('not_found', 'the recording of this job was deleted');
	const there = blobs.fileOf(job.audio.key);
	if (there !== undefined) return { recording: { path: there }, remove: async () => {} };
	const copy = path.join(tools.temporaryFolder, `${job.id}-audio`);
	const remove = (): Promise<void> => unlink(copy).catch(() => {});
	try {
		await pipeline(Readable.from(blobs.get(job.audio.key)), createWriteStream(copy, { mode: 0o600 }), {
			signal,
		});
		return { recording: { path: copy }, remove };
	} catch (thrown) {
		await remove();
		throw thrown;
	}
}

function diarizerOf({ diarizer }: ModelPool): string {
	if (diarizer !== undefined) return diarizer;
	throw new EarshotError('model_not_found', 'the model that tells speakers apart is no longer here');
}
