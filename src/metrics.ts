/**
 * What the server counts and measures, as Prometheus reads it. One object for each server; the pool and the
 * routes tell it what happened, and nobody asks it to decide anything. Labels are ids of models that are
 * served here and words of our own: a client cannot make new ones.
 */

import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** Why a host was ended while nothing was wrong with it; `memory` is an eviction. */
export type UnloadReason = 'idle' | 'memory' | 'asked' | 'changed';

/** Why a host was started again while it was needed. */
export type RestartReason = 'died' | 'grew';

/** Why a request was turned away that was right in itself. */
export type RefusalReason = 'queue' | 'uploads' | 'memory' | 'hold' | 'deadline';

/** What the pool tells of its runners. Each call is one event. */
export interface PoolMetrics {
	/** A host is ready, `seconds` after its process was started. */
	loaded(model: string, seconds: number): void;
	loadFailed(model: string): void;
	unloaded(model: string, reason: UnloadReason): void;
	restarted(model: string, reason: RestartReason): void;
	/** `model` is '' where the request had not come so far as to name one. */
	refused(model: string, reason: RefusalReason): void;
	/** Resident memory of the model's host, bytes; 0 where it has none. */
	memory(model: string, bytes: number): void;
	/** What the model's host has reported. */
	scheduled(model: string, report: RunnerReport): void;
}

/** A batch that was run, however it ended. */
export interface BatchReport {
	readonly clips: number;
	/** Audio. */
	readonly seconds: number;
	/** Silence that filled the batch up to longest × count, where the library pads. */
	readonly paddingSeconds: number;
	readonly runMs: number;
}

/** What a model's scheduler is at. */
export interface SchedulerState {
	readonly slots: number;
	/** Of the slots and the priority slot. */
	readonly busySlots: number;
	readonly waitingClips: number;
	/** Audio of those. */
	readonly waitingSeconds: number;
}

/** What a host tells a few times a second while anything happens. */
export interface RunnerReport {
	/** As it is now. */
	readonly state: SchedulerState;
	/** What was run since the last report. */
	readonly batches: readonly BatchReport[];
}

/** What stands before a model. */
export interface QueueReport {
	/** Admitted and not through. */
	readonly recordings: number;
	/** Audio of those that has not been heard. */
	readonly seconds: number;
	/** Seconds of work for a second of audio, of late. */
	readonly realTimeFactor: number;
}

/** A recording that was transcribed. */
export interface RecordingReport {
	/** Of the recording. */
	readonly audioSeconds: number;
	/** From the request's first byte to the end of the answer. */
	readonly totalMs: number;
	readonly decodeMs: number;
	readonly queueMs: number;
	readonly runMs: number;
}

/** Seconds: from a null engine to a recording of hours. */
const timeBuckets = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800];

const clipBuckets = [1, 2, 3, 4, 6, 8, 12, 16, 32];

/** Of a model without a host. */
const idle: SchedulerState = { slots: 0, busySlots: 0, waitingClips: 0, waitingSeconds: 0 };

export class Metrics implements PoolMetrics {
	readonly #registry = new Registry();

	readonly #loads = this.#counter('loads_total', 'Models loaded, by how it ended', ['model', 'result']);
	readonly #loadSeconds = this.#histogram('load_seconds', 'From the start of a host until it is ready', [
		'model',
	]);
	readonly #unloads = this.#counter('unloads_total', 'Hosts ended; `memory` are evictions', [
		'model',
		'reason',
	]);
	readonly #restarts = this.#counter('restarts_total', 'Hosts started again while they were needed', [
		'model',
		'reason',
	]);
	readonly #refusals = this.#counter('refusals_total', 'Requests turned away', ['model', 'reason']);
	readonly #memory = this.#gauge('host_memory_bytes', 'Resident memory of the host', ['model']);

	readonly #slots = this.#gauge('slots', 'Batches that the model may run at once', ['model']);
	readonly #busySlots = this.#gauge('slots_busy', 'Batches that run; one more than `slots` at most', [
		'model',
	]);
	readonly #waitingClips = this.#gauge('queue_clips', 'Clips that wait for a slot', ['model']);
	readonly #waitingSeconds = this.#gauge('queue_clip_seconds', 'Audio of the clips that wait for a slot', [
		'model',
	]);
	readonly #recordings = this.#gauge('queue_recordings', 'Recordings admitted and not through', ['model']);
	readonly #seconds = this.#gauge('queue_seconds', 'Audio of those that has not been heard', ['model']);
	readonly #realTimeFactor = this.#gauge(
		'real_time_factor',
		'Seconds of work for a second of audio, of late; under 1 is faster than spoken',
		['model'],
	);
	readonly #uploads = this.#gauge('uploads_bytes', 'Uploads being received or transcribed', []);
	readonly #batchClips = this.#histogram(
		'batch_clips',
		'Clips that a slot is at work on when one begins',
		['model'],
		clipBuckets,
	);
	readonly #batchRun = this.#histogram('batch_run_seconds', 'Time that a batch ran', ['model']);
	readonly #batchAudio = this.#counter('batch_audio_seconds_total', 'Audio that was run', ['model']);
	readonly #batchPadding = this.#counter(
		'batch_padding_seconds_total',
		'Silence that was run beside it, to make the clips of batches equally long',
		['model'],
	);
	readonly #audio = this.#counter('audio_seconds_total', 'Length of the recordings transcribed', ['model']);
	readonly #decode = this.#histogram('decode_seconds', 'Decoding a recording and finding speech in it', [
		'model',
	]);
	readonly #wait = this.#histogram('wait_seconds', 'From the first clip of a recording until one ran', [
		'model',
	]);
	readonly #run = this.#histogram('run_seconds', 'From then until the last clip was through', ['model']);
	readonly #total = this.#histogram('request_seconds', 'The whole of a request that was transcribed', [
		'model',
	]);

	readonly #sources: (() => void)[] = [];

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
		this.#seconds.set({ model }, seconds);
		this.#realTimeFactor.set({ model }, realTimeFactor);
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

	/** Calls `tell` before each rendering, to set what changes too often to be told each time. */
	askBefore(tell: () => void): void {
		this.#sources.push(tell);
	}

	/** Everything, in Prometheus' text format. */
	render(): Promise<string> {
		for (const tell of this.#sources) tell();
		return this.#registry.metrics();
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
