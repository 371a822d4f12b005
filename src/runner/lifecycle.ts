/**
 * Starts the process of one model when needed, restarts it after a crash (with backoff), replaces it when it has grown
 * too large, and ends it. The requests it runs are the concern of runner.ts.
 */

import { EarshotError } from '../core/errors.js';
import type { RestartReason } from '../core/metrics.js';
import type { LoadState, ModelInfo } from '../core/speech/model-info.js';
import { CrashBackoff } from './crash-backoff.js';
import { MeasuredSpeed } from './measured-speed.js';
import { type Answer, RunnerProcess, type RunnerProcessOptions } from './process.js';

export interface LifecycleOptions extends RunnerProcessOptions {
	/** Resident memory above which a process is replaced, between clips; 0 = twice that after loading, plus 1 GiB. */
	readonly maxRssBytes: number;
	/** Whether memory permits a replacement to start before the old process has ended; absent = always. */
	readonly hasRoomForTwo?: () => boolean;
	/** Called when `memoryBytes` has changed. */
	readonly onMemory?: () => void;
	/** Called when a process was replaced by another one. */
	readonly onRestart?: (reason: RestartReason) => void;
	/** Called when a process has crashed. */
	readonly onDeath?: (death: RunnerDeath) => void;
}

export interface RunnerDeath {
	readonly pid: number | undefined;
	/** Exit code or signal, in words. */
	readonly how: string;
	/** Number of recordings that it was transcribing; another process continues them. */
	readonly inFlight: number;
	/** The last line on its stderr; '' = none. */
	readonly lastOutput: string;
	/** Duration of the crash backoff that starts now; 0 = none. */
	readonly backoffMs: number;
}

/** Lifecycle events for runner.ts, and queries about its requests. */
export interface LifecycleListener {
	readonly onAnswer: (process: RunnerProcess, answer: Answer) => void;
	/** `how`: exit code or signal, in words. Returns how many recordings were in flight, and whether one of them is known
	 * to be the cause. */
	readonly onDeath: (
		process: RunnerProcess,
		how: string,
	) => { readonly inFlight: number; readonly explained: boolean };
	/** A process is ready for requests. */
	readonly onReady: () => void;
	/** The process could not be restarted. */
	readonly onFailure: (error: unknown) => void;
	/** Whether any request waits or runs. */
	readonly isNeeded: () => boolean;
	/** Whether the process must not be replaced now. */
	readonly hasSuspect: () => boolean;
	/** Withdraws the requests that can move to another process. */
	readonly onOversized: (process: RunnerProcess) => void;
	/** Whether the process has no requests left. */
	readonly isDrained: (process: RunnerProcess) => boolean;
}

/** A process that dies while loading may have been killed by the system or a user, so the load is retried once. */
const maxLoadAttempts = 2;

/** Loading gigabytes from a slow disk takes a minute. A process still loading after this time counts as hung. */
const loadTimeoutMs = 10 * 60_000;

/** Memory growth allowed by default, for recordings in flight and lazy allocations of engines. */
const defaultGrowthBytes = 2 ** 30;

/**
 * Pause between two replacements of growing processes. A replacement costs the work in flight, so one that follows
 * soon after the last doubles the pause: a limit below what the model needs slows it down but never stops it.
 */
const firstReplacePauseMs = 60_000;
const maxReplacePauseMs = 60 * 60_000;

export class Lifecycle {
	readonly #options: LifecycleOptions;
	readonly #listener: LifecycleListener;
	readonly #backoff = new CrashBackoff();
	readonly #speed = new MeasuredSpeed();
	/** All processes that have not ended: the current one, and old or new ones during a replacement. */
	readonly #processes = new Set<RunnerProcess>();
	/** The current process, which receives new requests. */
	#process: RunnerProcess | undefined;
	#info: ModelInfo | undefined;
	#starting: Promise<ModelInfo> | undefined;
	#unloading: Promise<void> | undefined;
	#closing: Promise<void> | undefined;
	/** The process that is being replaced because it grew too large. It ends when each of its recordings has finished its
	 * current clip. */
	#oversized: RunnerProcess | undefined;
	#draining: Promise<void> | undefined;
	#onDrained: (() => void) | undefined;
	#isReplacing = false;
	#replacePauseMs = firstReplacePauseMs;
	#replacedAtMs = -Infinity;
	/** Resident memory of the last process right after loading; 0 = none was loaded yet. */
	#loadedBytes = 0;
	/** `memoryBytes` at the last call of `onMemory`. */
	#reportedBytes = 0;
	#lastExit = '';

	constructor(options: LifecycleOptions, listener: LifecycleListener) {
		this.#options = options;
		this.#listener = listener;
	}

	get info(): ModelInfo {
		if (!this.#info) throw new EarshotError('internal', 'the runner has not loaded its model yet');
		return this.#info;
	}

	/** The model's info as of its last load; undefined before the first. */
	get lastInfo(): ModelInfo | undefined {
		return this.#info;
	}

	get state(): LoadState {
		if (this.#starting) return 'loading';
		if (this.#process?.info && !this.#unloading) return 'loaded';
		return this.#backoff.remainingMs(this.#options.clock.now()) > 0 ? 'backoff' : 'unloaded';
	}

	/** Whether the current process answers heartbeats; true without a process. */
	get isAnswering(): boolean {
		return this.#process?.isAnswering ?? true;
	}

	/** The process for new requests; undefined if there is none or it is still loading. */
	get ready(): RunnerProcess | undefined {
		return this.#starting ? undefined : this.#process;
	}

	/** Process id of the current process. */
	get pid(): number | undefined {
		return this.#process?.pid;
	}

	/** Resident memory of all processes, as last reported; one without a report counts like the last loaded one. */
	get memoryBytes(): number {
		return [...this.#processes].reduce((sum, { rssBytes }) => sum + (rssBytes || this.#loadedBytes), 0);
	}

	/** Resident memory of the process right after loading; 0 = unknown. */
	get loadedBytes(): number {
		return this.#loadedBytes;
	}

	/** Loads the model if it is not loaded; concurrent callers share one load.
	 * Throws `model_load_failed`, `engine_missing`, `model_backoff`, `closed`. */
	start(): Promise<ModelInfo> {
		if (this.#closing) return Promise.reject(unloaded());
		const info = this.#unloading || this.#starting ? undefined : this.#process?.info;
		if (info) return Promise.resolve(info);
		this.#starting ??= this.#load().finally(() => {
			this.#starting = undefined;
		});
		return this.#starting;
	}

	/** Ends the crash backoff: a clip has finished, or a user has requested the model explicitly. */
	reset(): void {
		this.#backoff.reset();
	}

	/** Ends the processes and frees their memory; `start` starts a new one. Call it only while nothing runs. */
	unload(): Promise<void> {
		this.#unloading ??= this.#end().finally(() => {
			this.#unloading = undefined;
		});
		return this.#unloading;
	}

	/** Ends the processes for good. Safe to call twice. */
	close(): Promise<void> {
		this.#closing ??= this.#end();
		return this.#closing;
	}

	get isClosing(): boolean {
		return this.#closing !== undefined;
	}

	isOversized(process: RunnerProcess | undefined): boolean {
		return process !== undefined && process === this.#oversized;
	}

	/** Call this when a recording has left a process. */
	checkDrained(): void {
		if (this.#oversized && this.#listener.isDrained(this.#oversized)) this.#onDrained?.();
	}

	async #end(): Promise<void> {
		await Promise.all([...this.#processes].map((process) => process.end()));
	}

	async #load(): Promise<ModelInfo> {
		// Processes that are ending must free their memory before the new process needs it.
		await Promise.all([this.#unloading, this.#draining]);
		for (let attempt = 1; ; attempt++) {
			if (this.#closing) throw unloaded();
			this.#refuseDuringBackoff();
			const process = this.#spawn();
			this.#process = process;
			try {
				return await this.#loaded(process);
			} catch (thrown) {
				if (this.#closing || this.#unloading) throw unloaded();
				if (process.refused || process.pid === undefined || attempt === maxLoadAttempts) throw thrown;
			}
		}
	}

	#spawn(): RunnerProcess {
		const process: RunnerProcess = new RunnerProcess(
			this.#options,
			{
				onAnswer: (answer) => {
					this.#listener.onAnswer(process, answer);
					if ('rssBytes' in answer) this.#measured(process);
				},
				onEnd: (how) => this.#ended(process, how),
			},
			this.#speed,
		);
		this.#processes.add(process);
		return process;
	}

	async #loaded(process: RunnerProcess): Promise<ModelInfo> {
		const stopTimer = this.#options.clock.after(loadTimeoutMs, () =>
			process.terminate(`loading took longer than ${loadTimeoutMs / 60_000} minutes`),
		);
		try {
			this.#info = await process.ready;
		} finally {
			stopTimer();
		}
		this.#loadedBytes = process.loadedBytes;
		this.#reportMemory();
		return this.#info;
	}

	#refuseDuringBackoff(): void {
		const ms = this.#backoff.remainingMs(this.#options.clock.now());
		if (ms <= 0) return;
		const retryAfterSeconds = Math.ceil(ms / 1000);
		throw new EarshotError(
			'model_backoff',
			`The process of the model \`${this.#options.entry.id}\` keeps crashing (${this.#lastExit}). The model can be used again in ${retryAfterSeconds} s`,
			{ retryAfterSeconds },
		);
	}

	#ended(process: RunnerProcess, how: string): void {
		this.#processes.delete(process);
		if (this.#process === process) this.#process = undefined;
		this.#reportMemory();
		const { inFlight, explained } = this.#listener.onDeath(process, how);
		if (this.#closing) return;
		if (!process.refused && !process.isEnding) {
			const { clock, onDeath } = this.#options;
			this.#lastExit = `${how}${process.stderrTail}`;
			// A crash caused by one recording is no evidence against the model, so it does not count.
			if (!explained) this.#backoff.died(clock.now());
			const backoffMs = this.#backoff.remainingMs(clock.now());
			onDeath?.({ pid: process.pid, how, inFlight, lastOutput: process.lastOutput, backoffMs });
		}
		this.checkDrained();
		if (this.#process) this.#listener.onReady();
		else if (this.#listener.isNeeded()) this.#restart(process.isHung ? 'hung' : 'died');
	}

	/** Starts another process for the waiting requests, which fail if it cannot be started. */
	#restart(reason: RestartReason): void {
		// A crash while loading is part of the load, not a restart.
		const counts = !this.#starting;
		this.start().then(
			() => {
				if (counts) this.#options.onRestart?.(reason);
				this.#listener.onReady();
			},
			(thrown: unknown) => this.#listener.onFailure(thrown),
		);
	}

	#measured(process: RunnerProcess): void {
		this.#reportMemory();
		const { maxRssBytes } = this.#options;
		const limit = maxRssBytes || 2 * process.loadedBytes + defaultGrowthBytes;
		if (process !== this.#process || process.rssBytes <= limit) return;
		const sinceMs = this.#options.clock.now() - this.#replacedAtMs;
		const busy = this.#isReplacing || this.#unloading || this.#closing || this.#listener.hasSuspect();
		if (busy || sinceMs < this.#replacePauseMs) return;
		const soon = sinceMs < maxReplacePauseMs;
		this.#replacePauseMs = soon ? Math.min(2 * this.#replacePauseMs, maxReplacePauseMs) : firstReplacePauseMs;
		this.#replacedAtMs = this.#options.clock.now();
		this.#isReplacing = true;
		void this.#replace(process).finally(() => {
			this.#isReplacing = false;
		});
	}

	#reportMemory(): void {
		const bytes = this.memoryBytes;
		if (bytes === this.#reportedBytes) return;
		this.#reportedBytes = bytes;
		this.#options.onMemory?.();
	}

	/** Never rejects: if no replacement can be started, the oversized process continues. */
	async #replace(oversized: RunnerProcess): Promise<void> {
		const { entry, onLog, hasRoomForTwo } = this.#options;
		onLog?.(`the runner of ${entry.id} has grown to ${oversized.rssBytes} bytes and is being replaced`);
		let next: RunnerProcess | undefined;
		if (hasRoomForTwo?.() ?? true) {
			next = this.#spawn();
			const failed = await this.#loaded(next).then(
				() => false,
				() => true,
			);
			if (failed) return;
			// The old process has crashed, or the model was unloaded, in the meantime.
			if (this.#process !== oversized || this.#unloading || this.#closing) return await next.end();
		}
		this.#process = next;
		this.#oversized = oversized;
		this.#draining = this.#drain(oversized);
		if (next || this.#listener.isNeeded()) this.#restart('grew');
		await this.#draining;
	}

	/** Waits until running clips have finished, then ends the process. */
	async #drain(oversized: RunnerProcess): Promise<void> {
		const drained = new Promise<void>((resolve) => (this.#onDrained = resolve));
		this.#listener.onOversized(oversized);
		this.checkDrained();
		await drained;
		await oversized.end();
		this.#oversized = undefined;
		this.#draining = undefined;
	}
}

function unloaded(): EarshotError {
	return new EarshotError('closed', 'the model is being unloaded');
}
