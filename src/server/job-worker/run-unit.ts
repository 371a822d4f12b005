/** Runs one unit of a job with the models of this process's pool. */

import { createWriteStream } from 'node:fs';
import { unlink } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { asEarshotError, EarshotError, type ErrorCode, toWire, type WireError } from '../../core/errors.js';
import type { Metrics } from '../../core/metrics.js';
import type { ClipEvent } from '../../core/speech/events.js';
import type { TranscribeOptions } from '../../core/speech/options.js';
import type { Recording } from '../../core/speech/recording.js';
import type { TranscriptEvent } from '../../core/speech/transcript.js';
import { type BlobRef, jsonBytes, readBlob } from '../../jobs/blobs.js';
import type { DivisionBlob, GroupBlob, RequestBlob, ResultBlob } from '../../jobs/contents.js';
import { blobNames, type Job, partName } from '../../jobs/job.js';
import type { Unit, UnitLease } from '../../jobs/queue.js';
import type { JobStorage } from '../../jobs/storage.js';
import type { Lease, ModelPool } from '../../pool/model-pool.js';
import type { VoiceStore } from '../../speakers/voice-store.js';
import { withSpeakers } from '../../speakers/with-speakers.js';
import { type Admission, estimatedSeconds } from '../request/admission.js';
import { fitToModel, parseRequest } from '../request/parse.js';
import { divided } from './divide.js';
import { speakerOptionsOfJob } from './known-voices.js';

export interface UnitTools {
	readonly storage: JobStorage;
	readonly pool: ModelPool;
	readonly admission: Admission;
	readonly maxKnownSpeakers: number;
	readonly voices: VoiceStore;
	/** For copies of recordings from stores without local files, and for the groups of a divided one. */
	readonly temporaryFolder: string;
	readonly metrics: Metrics;
	readonly elapsedMs: () => number;
}

/** Temporary failures, which are retried. */
const transientCodes: readonly ErrorCode[] = [
	'overloaded',
	'model_backoff',
	'out_of_memory',
	'too_many_open_files',
	'disk_full',
	'closed',
];

/** Ends the lease, and throws only what the lease throws. `stopping` aborts when this process shuts down. */
export async function runUnit(
	lease: UnitLease,
	job: Job,
	tools: UnitTools,
	stopping: AbortSignal,
): Promise<void> {
	const signal = AbortSignal.any([lease.signal, stopping]);
	try {
		const { name, value } = await transcribeUnit(lease, job, tools, signal);
		// The result of a lost lease must not replace an accepted one.
		if (lease.signal.aborted) return;
		const { blobs } = tools.storage;
		const isDone = await lease.done(await blobs.put(`${job.id}/${name}`, jsonBytes(value)));
		const { group } = lease.unit;
		if (isDone && group) await blobs.delete(group.blob.key);
	} catch (thrown) {
		if (lease.signal.aborted) return;
		if (stopping.aborted) {
			await lease.release();
			return;
		}
		const failure = toWire(asEarshotError(thrown));
		await lease.fail(located(failure, lease.unit), transientCodes.includes(failure.code));
	}
}

/** Adds the position of a failed group in the recording to the error message. */
function located(error: WireError, { group }: Unit): WireError {
	if (group === undefined) return error;
	const where = `from second ${Math.floor(group.start)} to ${Math.ceil(group.end)} of the recording`;
	return { ...error, message: `${error.message} (${where})` };
}

/** A result to store as a blob. */
interface UnitOutput {
	readonly name: string;
	readonly value: ResultBlob | DivisionBlob | GroupBlob;
}

async function transcribeUnit(
	lease: UnitLease,
	job: Job,
	tools: UnitTools,
	signal: AbortSignal,
): Promise<UnitOutput> {
	const { pool, storage, admission, maxKnownSpeakers } = tools;
	const { group, part, seconds } = lease.unit;
	const blob = await readBlob(storage.blobs, job.request.key);
	const { fields, deployment, enrolled } = JSON.parse(blob.toString('utf8')) as RequestBlob;
	const request = parseRequest(new Map(fields), job.task, { deployment, maxKnownSpeakers });
	const file = await localFile(group?.blob ?? job.audio, lease, tools, signal);
	const { recording } = file;
	const ticket = admission.join(job.model, group ? seconds : estimatedSeconds(job.bytes), job.priority);
	const leases: Lease[] = [];
	try {
		const diarizer = request.speakers && (await pool.lease(diarizerOf(pool), signal));
		if (diarizer) leases.push(diarizer);
		const model = await pool.lease(job.model, signal);
		leases.push(model);
		const options: TranscribeOptions = {
			...fitToModel(request, model.info).options,
			// The scheduler gives background priority to all but the beginning of a recording; so do its later groups.
			...((job.priority === 'bulk' || (group && group.group > 0)) && { background: true }),
			...(group && { piece: { kind: 'group' } }),
		};
		const unit = { lease, model, recording, options, ticket, signal };
		if (group) return { name: partName(part, lease.number, 'json'), value: await groupOf(unit, tools) };
		const { blobs } = storage;
		const division = diarizer
			? undefined
			: await divided(model, { ...unit, blobs, temporaryFolder: tools.temporaryFolder });
		if (division) return { name: partName(0, lease.number, 'json'), value: division };
		const speakers = diarizer && {
			speakers: await speakerOptionsOfJob(request.speakers, enrolled, tools.voices),
		};
		const resumable = withCheckpoints(model, lease);
		const events = diarizer
			? withSpeakers(resumable, diarizer, recording, { ...options, ...speakers }, signal)
			: resumable.transcribe(recording, options, signal);
		return { name: blobNames.result, value: await resultOf(events, unit, tools) };
	} finally {
		ticket.leave();
		for (const each of leases) each.release();
		await file.remove();
	}
}

export interface RunningUnit {
	readonly lease: UnitLease;
	readonly model: Lease;
	readonly recording: Recording;
	readonly options: TranscribeOptions;
	readonly ticket: ReturnType<Admission['join']>;
	readonly signal: AbortSignal;
}

async function groupOf(unit: RunningUnit, tools: UnitTools): Promise<GroupBlob> {
	const { lease, model, recording, options, signal } = unit;
	const clips = [...lease.clips];
	const resumable = withCheckpoints(model, lease, (clip) => clips.push(clip));
	const { timing } = await resultOf(resumable.transcribe(recording, options, signal), unit, tools);
	return { clips, ...(timing && { timing }) };
}

/** A transcriber that resumes after the lease's checkpoints, and writes a checkpoint for each further clip. */
export function withCheckpoints(
	model: Lease,
	lease: UnitLease,
	onClip: (clip: ClipEvent) => void = () => {},
): Pick<Lease, 'transcribe'> {
	return {
		transcribe: (recording, options, signal) =>
			model.transcribe(recording, options, signal, {
				done: lease.clips,
				onClip: (clip) => {
					onClip(clip);
					// A clip without a checkpoint is transcribed again by a later lease.
					void lease.checkpoint(clip).catch(() => {});
				},
			}),
	};
}

async function resultOf(
	events: AsyncIterable<TranscriptEvent>,
	unit: RunningUnit,
	{ metrics, elapsedMs }: UnitTools,
): Promise<ResultBlob> {
	const startedMs = elapsedMs();
	const { model, group } = unit.lease.unit;
	const { transcript, timing } = await lastOf(events, unit);
	const { decode: decodeMs, queue: queueMs, run: runMs } = timing ?? { decode: 0, queue: 0, run: 0 };
	const audioSeconds = transcript.duration - (group?.start ?? 0);
	metrics.transcribed(model, { audioSeconds, totalMs: elapsedMs() - startedMs, decodeMs, queueMs, runMs });
	return { transcript, ...(timing && { timing }) };
}

/** Returns the last event; reports the others to the lease and the ticket. */
export async function lastOf(
	events: AsyncIterable<TranscriptEvent>,
	{ lease, ticket }: Pick<RunningUnit, 'lease' | 'ticket'>,
): Promise<Extract<TranscriptEvent, { readonly type: 'done' }>> {
	const from = lease.unit.group?.start ?? 0;
	let length: number | null = null;
	for await (const event of events) {
		if (event.type === 'started') {
			length = event.duration;
			if (length !== null) ticket.setLength(length - from);
			await lease.progress(from, length);
		} else if (event.type === 'segments') {
			ticket.processedUpTo(event.processed - from);
			await lease.progress(event.processed, length);
		} else {
			ticket.processedUpTo(event.transcript.duration - from);
			return event;
		}
	}
	throw new EarshotError('internal', 'the model ended without a transcript');
}

export interface LocalFile {
	readonly recording: Recording;
	remove(): Promise<void>;
}

/** The recording as a local file. */
export async function localFile(
	audio: BlobRef | null,
	{ number, unit }: UnitLease,
	tools: UnitTools,
	signal: AbortSignal,
): Promise<LocalFile> {
	const { blobs } = tools.storage;
	if (audio === null) throw new EarshotError('not_found', 'the recording of this job was deleted');
	const there = blobs.fileOf(audio.key);
	if (there !== undefined) return { recording: { path: there }, remove: async () => {} };
	const copy = path.join(tools.temporaryFolder, `${unit.jobId}-${unit.part}-${number}`);
	const remove = (): Promise<void> => unlink(copy).catch(() => {});
	try {
		await pipeline(Readable.from(blobs.get(audio.key)), createWriteStream(copy, { mode: 0o600 }), {
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
	throw new EarshotError('model_not_found', 'the diarization model is no longer installed');
}
