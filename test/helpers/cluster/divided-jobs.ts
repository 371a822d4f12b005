/** Workers and a server in one process, on queue and records in memory: the real pipeline, with an engine of the test. */

import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import { RecordStore } from '../../../src/cluster/record-store.js';
import { Releaser } from '../../../src/cluster/releaser.js';
import { UnitQueue } from '../../../src/cluster/unit-queue.js';
import { silentLog } from '../../../src/core/log.js';
import { Metrics } from '../../../src/core/metrics.js';
import { cutEvents, finished, resumed } from '../../../src/core/speech/assemble.js';
import type { ClipResult } from '../../../src/core/speech/clip.js';
import type { Engine } from '../../../src/engines/engine.js';
import { FolderBlobs } from '../../../src/jobs/folder/folder-blobs.js';
import { isFinished, type Job } from '../../../src/jobs/job.js';
import { JobService } from '../../../src/jobs/job-service.js';
import { defaultJobRetention } from '../../../src/jobs/outcome.js';
import type { JobStorage } from '../../../src/jobs/storage.js';
import type { PipelineParts } from '../../../src/pipeline/parts.js';
import { runPipeline } from '../../../src/pipeline/pipeline.js';
import type { Lease } from '../../../src/pool/model-pool.js';
import { Scheduler } from '../../../src/scheduler/scheduler.js';
import { JobWorker } from '../../../src/server/job-worker/job-worker.js';
import { Admission } from '../../../src/server/request/admission.js';
import { VoiceStore } from '../../../src/speakers/voice-store.js';
import { FakeClock, FakePool, FakeTranscriber } from '../fakes.js';
import { limits, info as scriptedInfo } from '../scripted-engine.js';
import type { ScriptedRecording } from '../scripted-recording.js';
import { MemoryRecords } from './memory-records.js';
import { MemoryTransport } from './memory-transport.js';

const info = { ...scriptedInfo, id: 'tiny' };

const patienceMs = 100_000;

export interface JobsInMemory {
	readonly storage: JobStorage;
	readonly records: MemoryRecords;
	readonly clock: FakeClock;
	readonly service: JobService;
	readonly metrics: Metrics;
	/** Where clips that were transcribed begin, by the worker's name. */
	readonly clipsRun: { readonly worker: string; readonly start: number }[];
	/** Called before a clip gets its text; may wait or throw. */
	onClip: (clip: { readonly worker: string; readonly start: number }) => Promise<void> | void;
	/** A worker that takes so many units at a time; ends with the test. */
	worker(name: string, slots?: number): JobWorker;
	submit(more?: {
		mayDivide?: boolean;
		fields?: readonly (readonly [string, readonly string[]])[];
	}): Promise<Job>;
	/** Lets time pass until it has ended. */
	ended(id: string, stepMs?: number): Promise<Job>;
	/** Lets time pass until it is so. */
	until(isSo: () => Promise<boolean> | boolean, stepMs?: number): Promise<void>;
	/** Names of all that is stored for it. */
	blobsOf(id: string): Promise<string[]>;
}

/** `recording`: what every job is of. */
export function jobsInMemory(recording: ScriptedRecording): JobsInMemory {
	const folder = mkdtempSync(path.join(tmpdir(), 'earshot-test-jobs-'));
	const clock = new FakeClock();
	const wallMs = () => 1_700_000_000_000 + clock.now();
	const records = new MemoryRecords(wallMs);
	const transport = new MemoryTransport(clock);
	const onError = (error: unknown) => {
		throw error;
	};
	const blobs = new FolderBlobs(path.join(folder, 'blobs'));
	const store = new RecordStore(records);
	const storageOf = (name: string): JobStorage => ({
		...{ store, blobs, lost: new AbortController().signal, close: async () => {} },
		queue: new UnitQueue({ records, transport, clock, worker: name, onError }),
	});
	const storage = storageOf('server');
	const serviceOf = (of: JobStorage) =>
		new JobService({
			...{
				storage: of,
				log: silentLog,
				now: () => wallMs() / 1000,
				retention: { ...defaultJobRetention, dedupe: 0 },
			},
			limits: { maxJobs: 100, maxJobsPerKey: 100, maxBytes: 1e9 },
		});
	const releaser = new Releaser({ records, transport, clock, slotsFor: async () => 4, onError });
	const metrics = new Metrics();
	const running: JobWorker[] = [];
	onTestFinished(async () => {
		await Promise.all(running.map((worker) => worker.stop()));
		await releaser.close();
		rmSync(folder, { recursive: true, force: true });
	});
	const jobs: JobsInMemory = {
		...{ storage, records, clock, metrics, clipsRun: [], onClip: () => {} },
		service: serviceOf(storage),
		worker(name, slots = 2) {
			const own = storageOf(name);
			const worker = new JobWorker({
				...{ storage: own, service: serviceOf(own), metrics, log: silentLog, slots, maxKnownSpeakers: 4 },
				pool: new ScriptedPool(modelOf(recording, name, jobs)),
				admission: new Admission({ maxQueueSeconds: 1e6, metrics, clock }),
				voices: new VoiceStore(path.join(folder, 'voices')),
				temporaryFolder: folder,
				elapsedMs: () => clock.now(),
			});
			worker.start();
			running.push(worker);
			return worker;
		},
		async submit({ mayDivide = true, fields = [] } = {}) {
			const { job } = await jobs.service.submit({
				...{ owner: 'local', task: 'transcribe', model: 'tiny', priority: 'normal', format: 'json' },
				...{ metadata: {}, estimatedSeconds: recording.seconds, request: { fields }, bytes: 3, mayDivide },
				recording: { bytes: Buffer.from('any') },
			});
			return job;
		},
		async ended(id, stepMs) {
			let job: Job | undefined;
			await jobs.until(async () => {
				// As a server's sweep, which tries again.
				await jobs.service.settle(id).catch(() => {});
				job = await store.get(id);
				return job === undefined || isFinished(job);
			}, stepMs);
			return job!;
		},
		async until(isSo, stepMs = 20) {
			// Files are written in real time.
			for (const from = performance.now(); performance.now() - from < patienceMs; ) {
				if (await isSo()) return;
				clock.advance(stepMs);
				await new Promise((resolve) => setImmediate(resolve));
			}
			throw new Error('it does not become so');
		},
		async blobsOf(id) {
			const names: string[] = [];
			for await (const { key } of blobs.list(`${id}/`)) names.push(key.slice(id.length + 1));
			return names.sort();
		},
	};
	return jobs;
}

class ScriptedPool extends FakePool {
	readonly #model: Pick<Lease, 'transcribe' | 'cut'>;

	constructor(model: Pick<Lease, 'transcribe' | 'cut'>) {
		super(new FakeTranscriber());
		this.#model = model;
	}

	override async lease(model: string, signal: AbortSignal): Promise<Lease> {
		return { ...(await super.lease(model, signal)), info, ...this.#model };
	}
}

function modelOf(
	recording: ScriptedRecording,
	worker: string,
	jobs: JobsInMemory,
): Pick<Lease, 'transcribe' | 'cut'> {
	const engine: Engine = {
		info,
		limits: { ...limits, slots: 4, mergeGapSeconds: 0.1 },
		run: ({ clips }) =>
			clips.map(async ({ start, samples }): Promise<ClipResult> => {
				await jobs.onClip({ worker, start });
				jobs.clipsRun.push({ worker, start });
				const digest = createHash('sha256').update(samples.subarray(0, 1000)).digest('hex').slice(0, 6);
				const segment = { start: 0, end: 1, text: ` ${digest}`, tokens: [1], temperature: 0 };
				return { language: 'en', segments: [{ ...segment, avgLogprob: -0.1, noSpeechProb: 0 }] };
			}),
		close: async () => {},
	};
	const parts: PipelineParts = {
		...{ info, limits: engine.limits, scheduler: new Scheduler(engine, 1) },
		...{ openAudio: recording.reader, openVad: recording.vad },
	};
	return {
		transcribe: (file, options, signal, checkpoints = { done: [], onClip: () => {} }) => {
			const events = runPipeline(parts, file, options, signal, { firstClip: checkpoints.done.length });
			const about = { model: info.id, task: options.task, language: options.language };
			return finished(resumed(events, checkpoints), about);
		},
		cut: (file, options, how, signal) =>
			cutEvents(runPipeline(parts, file, { ...options, piece: { kind: 'cut', ...how } }, signal)),
	};
}
