/** Real workers on a real server, and jobs for them. */

import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { type Cluster, openCluster } from '../../../src/cluster/open-cluster.js';
import { systemClock } from '../../../src/core/clock.js';
import { silentLog } from '../../../src/core/log.js';
import { isFinished, type Job } from '../../../src/jobs/job.js';
import { JobService } from '../../../src/jobs/job-service.js';
import { defaultJobRetention } from '../../../src/jobs/outcome.js';
import { root } from '../fixtures.js';
import type { TestServer } from '../net/servers.js';
import { type EarshotProcess, startEarshot } from './processes.js';

/** The bundled digits, so often, as one recording. */
export function digits(times: number): Buffer {
	const wav = readFileSync(path.join(root, 'fixtures/demo-digits/digits-count.wav'));
	const header = Buffer.from(wav.subarray(0, 44));
	const samples = wav.subarray(44);
	header.writeUInt32LE(36 + samples.length * times, 4);
	header.writeUInt32LE(samples.length * times, 40);
	return Buffer.concat([header, ...Array.from({ length: times }, () => samples)]);
}

export interface RealCluster {
	readonly cluster: Cluster;
	readonly service: JobService;
	worker(): Promise<EarshotProcess>;
	/** `mayDivide`: several workers may transcribe it at once. */
	submit(recording: Buffer, mayDivide?: boolean): Promise<Job>;
	/** Waits until it has ended. */
	ended(id: string): Promise<Job>;
	textOf(job: Job): Promise<string>;
	/** The text of a recording that nothing disturbs. */
	undisturbed(recording: Buffer): Promise<string>;
	/** Waits until so many clips of it are finished. */
	clips(id: string, count: number): Promise<void>;
}

export async function realCluster(server: TestServer): Promise<RealCluster> {
	const folder = mkdtempSync(path.join(tmpdir(), 'earshot-test-cluster-'));
	const blobs = path.join(folder, 'blobs');
	mkdirSync(blobs);
	const cluster = await openCluster({
		queueUrl: server.url,
		blobsUrl: `file://${blobs}`,
		waitsForServer: true,
		clock: systemClock,
		log: silentLog,
	});
	const service = new JobService({
		storage: cluster,
		limits: { maxJobs: 10_000, maxJobsPerKey: 10_000, maxBytes: 1e12 },
		retention: { ...defaultJobRetention, dedupe: 0 },
		now: () => Date.now() / 1000,
		log: silentLog,
	});
	onTestFinished(async () => {
		await cluster.close();
		rmSync(folder, { recursive: true, force: true });
	});
	const real: RealCluster = {
		cluster,
		service,
		async worker() {
			return await startEarshot(['worker'], { queueUrl: server.url, folder, blobs });
		},
		async submit(recording, mayDivide = false) {
			const { job } = await service.submit({
				...{ owner: 'local', task: 'transcribe', model: 'demo-digits', priority: 'normal', format: 'json' },
				...{ metadata: {}, estimatedSeconds: recording.length / 32_000, request: { fields: [] } },
				...{ recording: { bytes: recording }, bytes: recording.length, mayDivide },
			});
			return job;
		},
		async ended(id) {
			for (;;) {
				// What a worker's death has left undone is put right as a gateway does it.
				await service.settle(id).catch(() => {});
				const job = await cluster.store.get(id).catch(() => undefined);
				if (job && isFinished(job)) return job;
				await after(50);
			}
		},
		async textOf(job) {
			return (await service.result(job)).transcript.text;
		},
		async undisturbed(recording) {
			const calm = await real.worker();
			const text = await real.textOf(await real.ended((await real.submit(recording)).id));
			await calm.end('SIGTERM');
			return text;
		},
		async clips(id, count) {
			while ((await cluster.queue.clips(id)).length < count) await after(5);
		},
	};
	return real;
}
