/**
 * The processes of one model: started when needed, started again after a death (with a pause where they keep dying),
 * replaced when they have grown too big, ended for good. What runs in them is the business of runner.ts.
 */

import { EarshotError } from '../errors.js';
import type { RestartReason } from '../metrics.js';
import type { LoadState, ModelInfo } from '../speech/model-info.js';
import { CrashBackoff } from './crash-backoff.js';
import { type Answer, RunnerProcess, type RunnerProcessOptions } from './process.js';

export interface LifecycleOptions extends RunnerProcessOptions {
	/** A process that takes more is replaced between clips; 0 = more than twice what it took once loaded, and 1 GiB. */
	readonly maxRssBytes: number;
	/** Whether another process may be started before the one it replaces has ended; always where absent. */
	readonly hasRoomForTwo?: () => boolean;
	/** Called when `memoryBytes` has changed. */
	readonly onMemory?: () => void;
	/** Another process takes the place of one that is needed. */
	readonly onRestart?: (reason: RestartReason) => void;
}

/** What the requests are told of their processes. */
export interface LifecycleListener {
	readonly onAnswer: (process: RunnerProcess, answer: Answer) => void;
	/** `how`: exit code or signal, in words. Returns how many recordings were in flight, and whether one of them is known
	 * to be the cause. */
	readonly onDeath: (
		process: RunnerProcess,
		how: string,
	) => { readonly inFlight: number; readonly explained: boolean };
	/** There is a process to give work to. */
	readonly onReady: () => void;
	/** No other process could be started. */
	readonly onFailure: (error: unknown) => void;
	/** Whether anything waits or runs. */
	readonly isNeeded: () => boolean;
	/** Whether a process may not be replaced now. */
	readonly isUnsettled: () => boolean;
	/** Takes back what can be moved to another process. */
	readonly onOversized: (process: RunnerProcess) => void;
	/** Whether nothing is in it any more. */
	readonly isDrained: (process: RunnerProcess) => boolean;
}

/** A process that dies while it loads may have been killed by somebody: the model gets a second one. */
const maxLoadTries = 2;

/** Gigabytes from a slow disk take a minute. What has not been loaded by then stands still, and all who wait for it. */
const loadTimeoutMs = 10 * 60_000;

/** What a process may grow by without being told a bound: recordings in flight, and whatever engines load late. */
const usualGrowthBytes = 2 ** 30;

/**
 * Between two replacements of a process that grows. Each one costs the work in flight, so one that comes soon after
 * the last doubles the time to the next: a bound below what a model needs slows it down and never stops it.
 */
const firstReplacePauseMs = 60_000;
const longestReplacePauseMs = 60 * 60_000;

export class Lifecycle {
	readonly #options: LifecycleOptions;
	readonly #listener: LifecycleListener;
	readonly #backoff = new CrashBackoff();
	/** Those that have not ended: the present one, and before and after it others for a while. */
	readonly #processes = new Set<RunnerProcess>();
	/** The one that gets the work. */
	#process: RunnerProcess | undefined;
	#info: ModelInfo | undefined;
	#starting: Promise<ModelInfo> | undefined;
	#unloading: Promise<void> | undefined;
	#closing: Promise<void> | undefined;
	/** Has grown too big, and goes when every recording in it is through its clip. */
	#oversized: RunnerProcess | undefined;
	#draining: Promise<void> | undefined;
	#onDrained: (() => void) | undefined;
	#isReplacing = false;
	#replacePauseMs = firstReplacePauseMs;
	#replacedAtMs = -Infinity;
	/** Of a process when it was loaded; 0 = none has been. */
	#loadedBytes = 0;
	/** `memoryBytes` as `onMemory` knows it. */
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

	get state(): LoadState {
		if (this.#starting) return 'loading';
		if (this.#process?.info && !this.#unloading) return 'loaded';
		return this.#backoff.remainingMs(this.#options.clock.now()) > 0 ? 'backoff' : 'unloaded';
	}

	/** The process that gets the work now; undefined while there is none or it is still loading. */
	get ready(): RunnerProcess | undefined {
		return this.#starting ? undefined : this.#process;
	}

	/** Of the present process. */
	get pid(): number | undefined {
		return this.#process?.pid;
	}

	/** Resident memory of its processes, as they said last; one that has said nothing yet counts as the one before. */
	get memoryBytes(): number {
		return [...this.#processes].reduce((sum, { rssBytes }) => sum + (rssBytes || this.#loadedBytes), 0);
	}

	/** Of the present process when it was loaded; 0 = not known. */
	get loadedBytes(): number {
		return this.#loadedBytes;
	}

	/** Loads the model if it is not loaded; one load however many ask.
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

	/** Forgets the deaths: a model that has worked, or that somebody asks for, may be started at once. */
	reset(): void {
		this.#backoff.reset();
	}

	/** Ends the processes and gives their memory back; `start` starts another. Only while nothing runs. */
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

	/** To be called when a recording has left a process. */
	checkDrained(): void {
		if (this.#oversized && this.#listener.isDrained(this.#oversized)) this.#onDrained?.();
	}

	async #end(): Promise<void> {
		await Promise.all([...this.#processes].map((process) => process.end()));
	}

	async #load(): Promise<ModelInfo> {
		// Their memory has to be back before it is asked for again.
		await Promise.all([this.#unloading, this.#draining]);
		for (let tries = 1; ; tries++) {
			if (this.#closing) throw unloaded();
			this.#refuseDuringBackoff();
			const process = this.#spawn();
			this.#process = process;
			try {
				return await this.#loaded(process);
			} catch (thrown) {
				if (this.#closing || this.#unloading) throw unloaded();
				if (process.refused || process.pid === undefined || tries === maxLoadTries) throw thrown;
			}
		}
	}

	#spawn(): RunnerProcess {
		const process: RunnerProcess = new RunnerProcess(this.#options, {
			onAnswer: (answer) => {
				this.#listener.onAnswer(process, answer);
				if ('rssBytes' in answer) this.#measured(process);
			},
			onEnd: (how) => this.#ended(process, how),
		});
		this.#processes.add(process);
		return process;
	}

	async #loaded(process: RunnerProcess): Promise<ModelInfo> {
		const stopTimer = this.#options.clock.after(loadTimeoutMs, () =>
			process.terminate(`it was not in memory after ${loadTimeoutMs / 60_000} minutes`),
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
			`The model \`${this.#options.entry.id}\` is on hold for ${retryAfterSeconds} s, since its process keeps dying: ${this.#lastExit}`,
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
			const { entry, onLog } = this.#options;
			onLog?.(`the runner of ${entry.id} died (${how}) with ${inFlight} recordings in flight`);
			this.#lastExit = `${how}${process.stderrTail}`;
			// A clip that was given up explains the death: it tells of the recording and not of the model.
			if (!explained) this.#backoff.died(this.#options.clock.now());
		}
		this.checkDrained();
		if (this.#process) this.#listener.onReady();
		else if (this.#listener.isNeeded()) this.#restart('died');
	}

	/** What waits goes on with another process, or fails as that one did. */
	#restart(reason: RestartReason): void {
		// A death while it loads is no restart of its own.
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
		const bound = maxRssBytes || 2 * process.loadedBytes + usualGrowthBytes;
		if (process !== this.#process || process.rssBytes <= bound) return;
		const sinceMs = this.#options.clock.now() - this.#replacedAtMs;
		const busy = this.#isReplacing || this.#unloading || this.#closing || this.#listener.isUnsettled();
		if (busy || sinceMs < this.#replacePauseMs) return;
		const soon = sinceMs < longestReplacePauseMs;
		this.#replacePauseMs = soon
			? Math.min(2 * this.#replacePauseMs, longestReplacePauseMs)
			: firstReplacePauseMs;
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

	/** Never rejects: where there is no other process to be had, the one that has grown goes on. */
	async #replace(oversized: RunnerProcess): Promise<void> {
		const { entry, onLog, hasRoomForTwo } = this.#options;
		onLog?.(`the runner of ${entry.id} has grown to ${oversized.rssBytes} bytes, and is replaced`);
		let next: RunnerProcess | undefined;
		if (hasRoomForTwo?.() ?? true) {
			next = this.#spawn();
			const failed = await this.#loaded(next).then(
				() => false,
				() => true,
			);
			if (failed) return;
			// It has died, or was unloaded, meanwhile.
			if (this.#process !== oversized || this.#unloading || this.#closing) return await next.end();
		}
		this.#process = next;
		this.#oversized = oversized;
		this.#draining = this.#drain(oversized);
		if (next || this.#listener.isNeeded()) this.#restart('grew');
		await this.#draining;
	}

	/** What is in the middle of a clip finishes it there. */
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
