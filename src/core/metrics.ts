/**
 * Prometheus metrics of the server. One object per server; the pool and the routes report events to it, and no
 * decision depends on it. Label values are ids of served models and fixed words, so clients cannot create new series.
 */

import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { Scrapes } from './scrapes.js';

/** Why a healthy runner was ended; `memory` is an eviction. */
export type UnloadReason = 'idle' | 'memory' | 'requested' | 'changed';

/** Why a runner was restarted while in use. */
export type RestartReason = 'died' | 'grew' | 'hung';

/** Why a valid request was refused. */
export type RefusalReason = 'queue' | 'uploads' | 'memory' | 'backoff' | 'deadline' | 'live';

/** What the pool reports about its runners. Each call is one event. */
export interface PoolMetrics {
	/** A runner is ready, `seconds` after its process was started. */
	loaded(model: string, seconds: number): void;
	loadFailed(model: string): void;
	unloaded(model: string, reason: UnloadReason): void;
	restarted(model: string, reason: RestartReason): void;
	/** `model` is '' where the request was refused before its model was known. */
	refused(model: string, reason: RefusalReason): void;
	/** Resident memory of the model's runner, bytes; 0 if no runner is running. */
	memory(model: string, bytes: number): void;
	/** A report from the model's runner. */
	scheduled(model: string, report: RunnerReport): void;
}

/** A batch that ended, whether it succeeded or not. */
export interface BatchReport {
	readonly clips: number;
	/** Audio in the batch. */
	readonly seconds: number;
	/** Silence that pads every clip to the longest of the batch, where the engine pads. */
	readonly paddingSeconds: number;
	readonly runMs: number;
}

/** The current load of a model's scheduler. */
export interface SchedulerState {
	readonly slots: number;
	/** Busy slots, the priority slot included. */
	readonly busySlots: number;
	readonly waitingClips: number;
	/** Audio of the waiting clips. */
	readonly waitingSeconds: number;
}

/** Sent by a runner a few times a second while it is active. */
export interface RunnerReport {
	/** At the time of the report. */
	readonly state: SchedulerState;
	/** Batches that ended since the last report. */
	readonly batches: readonly BatchReport[];
}

/** The queue of a model. */
export interface QueueReport {
	/** Recordings admitted and not finished. */
	readonly recordings: number;
	/** Their audio that is not transcribed yet, by class: `request`, or the priority of a job. */
	readonly seconds: Readonly<Record<string, number>>;
	/** Recent seconds of work per second of audio. */
	readonly realTimeFactor: number;
}

/** A recording that was transcribed. */
export interface RecordingReport {
	/** Length of the recording. */
	readonly audioSeconds: number;
	/** From the first byte of the request to the end of the response. */
	readonly totalMs: number;
	readonly decodeMs: number;
	readonly queueMs: number;
	readonly runMs: number;
}

/** Seconds: from an engine that does nothing to a recording of hours. */
const timeBuckets = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800];

const clipBuckets = [1, 2, 3, 4, 6, 8, 12, 16, 32];

/** The state of a model without a runner. */
const idle: SchedulerState = { slots: 0, busySlots: 0, waitingClips: 0, waitingSeconds: 0 };

export class Metrics implements PoolMetrics {
	readonly #registry = new Registry();

	readonly #loads = this.#counter('loads_total', 'Model loads, by result', ['model', 'result']);
	readonly #loadSeconds = this.#histogram('load_seconds', 'Time from starting a runner until it is ready', [
		'model',
	]);
	readonly #unloads = this.#counter('unloads_total', 'Healthy runners ended; `memory` counts evictions', [
		'model',
		'reason',
	]);
	readonly #restarts = this.#counter('restarts_total', 'Runners restarted while in use', ['model', 'reason']);
	readonly #refusals = this.#counter('refusals_total', 'Valid requests refused', ['model', 'reason']);
	readonly #memory = this.#gauge('runner_memory_bytes', 'Resident memory of the runner', ['model']);

	readonly #slots = this.#gauge('slots', 'Maximum batches that the model runs at once', ['model']);
	readonly #busySlots = this.#gauge('slots_busy', 'Batches running; at most `slots` and the priority slot', [
		'model',
	]);
	readonly #waitingClips = this.#gauge('queue_clips', 'Clips waiting for a slot', ['model']);
	readonly #waitingSeconds = this.#gauge('queue_clip_seconds', 'Audio of the clips waiting for a slot', [
		'model',
	]);
	readonly #recordings = this.#gauge('queue_recordings', 'Recordings admitted and not finished', ['model']);
	readonly #seconds = this.#gauge(
		'queue_seconds',
		'Audio of those recordings, and of jobs that wait, that is not transcribed yet',
		['model', 'class'],
	);
	readonly #oldestJob = this.#gauge(
		'queue_oldest_seconds',
		'Time that the oldest waiting job has waited',
		[],
	);
	readonly #jobs = this.#gauge('jobs', 'Jobs that are kept', ['status']);
	readonly #realTimeFactor = this.#gauge(
		'real_time_factor',
		'Recent seconds of work per second of audio; below 1 is faster than real time',
		['model'],
	);
	readonly #uploads = this.#gauge('uploads_bytes', 'Uploads being received or transcribed', []);
	readonly #batchClips = this.#histogram(
		'batch_clips',
		'Clips in a slot when a batch starts there',
		['model'],
		clipBuckets,
	);
	readonly #batchRun = this.#histogram('batch_run_seconds', 'Run time of a batch', ['model']);
	readonly #batchAudio = this.#counter('batch_audio_seconds_total', 'Audio in the batches run', ['model']);
	readonly #batchPadding = this.#counter(
		'batch_padding_seconds_total',
		'Silence added to make the clips of a batch equally long',
		['model'],
	);
	readonly #audio = this.#counter('audio_seconds_total', 'Length of the recordings transcribed', ['model']);
	readonly #decode = this.#histogram('decode_seconds', 'Time to decode a recording and detect speech in it', [
		'model',
	]);
	readonly #wait = this.#histogram('wait_seconds', 'Time from the first clip of a recording until one runs', [
		'model',
	]);
	readonly #run = this.#histogram('run_seconds', 'Time from the first running clip to the last', ['model']);
	readonly #total = this.#histogram('request_seconds', 'Total time of a transcription request', ['model']);

	readonly #liveSessions = this.#gauge('live_sessions', 'Open live sessions', ['model']);
	readonly #liveAudio = this.#counter('live_audio_seconds_total', 'Audio of live sessions', ['model']);
	readonly #liveTurns = this.#counter('live_turns_total', 'Turns of live sessions, by result', [
		'model',
		'result',
	]);
	readonly #liveLag = this.#histogram(
		'live_lag_seconds',
		'Time from the arrival of live audio until the model has processed it',
		['model'],
	);
	readonly #liveFirstDelta = this.#histogram(
		'live_first_delta_seconds',
		'Time from reporting that speech has started until the first text',
		['model'],
	);
	readonly #liveFinal = this.#histogram(
		'live_final_seconds',
		'Time from the end of a turn until its whole text',
		['model'],
	);
	readonly #livePauses = this.#counter(
		'live_paused_total',
		'Times that reading from a client was paused because its audio or its events piled up',
		['model'],
	);
	readonly #liveRevisions = this.#counter(
		'live_revisions_total',
		'Turns whose final text contradicted the partial text already sent, which was kept',
		['model'],
	);

	readonly #webhookTries = this.#histogram('webhook_try_seconds', 'Time of a try to deliver a webhook', [
		'result',
	]);
	readonly #webhooks = this.#counter('webhooks_total', 'Webhooks that were delivered or given up', [
		'result',
	]);
	readonly #webhooksPending = this.#gauge('webhooks_pending', 'Webhooks that are still to be delivered', []);
	readonly #scrapes = new Scrapes(this.#registry, [this.#seconds, this.#jobs, this.#oldestJob]);
	readonly contentType = this.#registry.contentType;

	loaded(model: string, seconds: number): void {
		this.#loads.inc({ model, result: 'ok' });
		this.#loadSeconds.observe({ model }, seconds);
	}

	loadFailed(model: string): void {
		this.#loads.inc({ model, result: 'failed' });
	}

	unloaded(model: string, reason: UnloadReason): void {
		this.#unloads.inc({ model, reason });
		this.#scheduler(model, idle);
	}

	restarted(model: string, reason: RestartReason): void {
		this.#restarts.inc({ model, reason });
		this.#scheduler(model, idle);
	}

	refused(model: string, reason: RefusalReason): void {
		this.#refusals.inc({ model, reason });
	}

	memory(model: string, bytes: number): void {
		this.#memory.set({ model }, bytes);
	}

	scheduled(model: string, { state, batches }: RunnerReport): void {
		this.#scheduler(model, state);
		for (const { clips, seconds, paddingSeconds, runMs } of batches) {
			this.#batchClips.observe({ model }, clips);
			this.#batchRun.observe({ model }, runMs / 1000);
			this.#batchAudio.inc({ model }, seconds);
			this.#batchPadding.inc({ model }, paddingSeconds);
		}
	}

	queued(model: string, { recordings, seconds, realTimeFactor }: QueueReport): void {
		this.#recordings.set({ model }, recordings);
		for (const [kind, each] of Object.entries(seconds)) this.#seconds.set({ model, class: kind }, each);
		this.#realTimeFactor.set({ model }, realTimeFactor);
	}

	jobs(status: string, count: number): void {
		this.#jobs.set({ status }, count);
	}

	/** Audio of jobs that no worker has started, in addition to what `queued` reported since the rendering began. */
	jobsWaiting(model: string, kind: string, seconds: number): void {
		this.#seconds.inc({ model, class: kind }, seconds);
	}

	oldestJob(seconds: number): void {
		this.#oldestJob.set(seconds);
	}

	/** Bytes of all uploads together. */
	uploads(bytes: number): void {
		this.#uploads.set(bytes);
	}

	transcribed(model: string, { audioSeconds, totalMs, decodeMs, queueMs, runMs }: RecordingReport): void {
		this.#audio.inc({ model }, audioSeconds);
		this.#total.observe({ model }, totalMs / 1000);
		this.#decode.observe({ model }, decodeMs / 1000);
		this.#wait.observe({ model }, queueMs / 1000);
		this.#run.observe({ model }, runMs / 1000);
	}

	liveSessions(model: string, count: number): void {
		this.#liveSessions.set({ model }, count);
	}

	liveAudio(model: string, seconds: number): void {
		this.#liveAudio.inc({ model }, seconds);
	}

	liveLag(model: string, seconds: number): void {
		this.#liveLag.observe({ model }, seconds);
	}

	liveFirstDelta(model: string, seconds: number): void {
		this.#liveFirstDelta.observe({ model }, seconds);
	}

	/** `seconds`: since the turn has ended. */
	liveTurn(model: string, result: 'completed' | 'failed', seconds: number): void {
		this.#liveTurns.inc({ model, result });
		this.#liveFinal.observe({ model }, seconds);
	}

	livePaused(model: string): void {
		this.#livePauses.inc({ model });
	}

	liveRevised(model: string): void {
		this.#liveRevisions.inc({ model });
	}

	webhookTried(result: 'delivered' | 'failed', seconds: number): void {
		this.#webhookTries.observe({ result }, seconds);
	}

	webhookFinished(result: 'delivered' | 'failed' | 'cancelled'): void {
		this.#webhooks.inc({ result });
	}

	webhooksPending(count: number): void {
		this.#webhooksPending.set(count);
	}

	/** Calls `report` before each rendering, to set gauges that change too often to be updated every time. */
	onScrape(report: () => void | Promise<void>): void {
		this.#scrapes.add(report);
	}

	/** All metrics in Prometheus' text format. */
	async render(): Promise<string> {
		return await this.#scrapes.render();
	}

	#scheduler(model: string, { slots, busySlots, waitingClips, waitingSeconds }: SchedulerState): void {
		this.#slots.set({ model }, slots);
		this.#busySlots.set({ model }, busySlots);
		this.#waitingClips.set({ model }, waitingClips);
		this.#waitingSeconds.set({ model }, waitingSeconds);
	}

	#counter<L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L> {
		return new Counter({ name: `earshot_${name}`, help, labelNames, registers: [this.#registry] });
	}

	#gauge<L extends string>(name: string, help: string, labelNames: readonly L[]): Gauge<L> {
		return new Gauge({ name: `earshot_${name}`, help, labelNames, registers: [this.#registry] });
	}

	#histogram<L extends string>(
		name: string,
		help: string,
		labelNames: readonly L[],
		buckets = timeBuckets,
	): Histogram<L> {
		return new Histogram({
			name: `earshot_${name}`,
			help,
			labelNames,
			buckets,
			registers: [this.#registry],
		});
	}
}
