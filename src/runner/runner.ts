/**
 * The server's side of one model's runner: sends recordings to its process. When the process crashes or is replaced, a
 * recording continues in the next one, at the clip that it had reached.
 */

import { asEarshotError, EarshotError, fromWire } from '../core/errors.js';
import { EventQueue } from '../core/event-queue.js';
import type { LiveEvent, LiveOptions, LiveStream, LiveTranscriber } from '../core/live/live.js';
import { cutEvents, finished, resumed } from '../core/speech/assemble.js';
import type { CutEvent, PipelineEvent } from '../core/speech/events.js';
import type { LoadState, ModelInfo } from '../core/speech/model-info.js';
import type { CutOptions, TranscribeOptions } from '../core/speech/options.js';
import type { Recording } from '../core/speech/recording.js';
import type { Checkpoints, Cutter, Transcriber } from '../core/speech/transcriber.js';
import type { TranscriptEvent } from '../core/speech/transcript.js';
import { Lifecycle, type LifecycleOptions } from './lifecycle.js';
import { LiveStreams, processEnded } from './live-streams.js';
import { fromWireEvent } from './live-wire.js';
import type { Answer, RunnerProcess } from './process.js';
import { Quarantine } from './quarantine.js';
import type { Assignment, Request } from './request.js';

export type RunnerOptions = LifecycleOptions;

export class Runner implements Transcriber, Cutter, LiveTranscriber {
	readonly #options: RunnerOptions;
	readonly #lifecycle: Lifecycle;
	readonly #quarantine = new Quarantine<Request>();
	/** Unsettled requests, in order of arrival. */
	readonly #requests = new Set<Request>();
	/** Requests that are assigned to a process, by the number of their assignment. */
	readonly #assigned = new Map<number, Request>();
	#nextRequest = 1;
	readonly #live: LiveStreams;

	constructor(options: RunnerOptions) {
		this.#options = options;
		this.#lifecycle = new Lifecycle(options, {
			onAnswer: (process, answer) => this.#take(process, answer),
			onDeath: (process, how) => this.#processDied(process, how),
			onReady: () => this.#submit(),
			onFailure: (thrown) => this.#failAll(asEarshotError(thrown)),
			isNeeded: () => this.#requests.size > 0,
			// A suspect must run alone in one process until it is released.
			hasSuspect: () => this.#quarantine.current !== undefined,
			onOversized: (process) => {
				this.#withdrawIdle(process);
				this.#live.detachIdle(process);
			},
			isDrained: (process) => this.#in(process).length === 0 && this.#live.countIn(process) === 0,
		});
		this.#live = new LiveStreams({
			process: () => this.#started(),
			onCompleted: () => this.#lifecycle.reset(),
			onDetached: () => this.#lifecycle.checkDrained(),
		});
	}

	get info(): ModelInfo {
		return this.#lifecycle.info;
	}

	/** The model's info as of its last load; undefined before the first. */
	get lastInfo(): ModelInfo | undefined {
		return this.#lifecycle.lastInfo;
	}

	get state(): LoadState {
		return this.#lifecycle.state;
	}

	/** False while the current process misses heartbeats, until it is killed. */
	get isAnswering(): boolean {
		return this.#lifecycle.isAnswering;
	}

	/** Process id of the current process. */
	get pid(): number | undefined {
		return this.#lifecycle.pid;
	}

	/** Resident memory of its processes, as last reported. */
	get memoryBytes(): number {
		return this.#lifecycle.memoryBytes;
	}

	/** Resident memory of the process right after loading; 0 = unknown. */
	get loadedBytes(): number {
		return this.#lifecycle.loadedBytes;
	}

	/** Loads the model if it is not loaded; concurrent callers share one load.
	 * Throws `model_load_failed`, `engine_missing`, `model_backoff`, `closed`. */
	start(): Promise<ModelInfo> {
		return this.#lifecycle.start();
	}

	/** Ends the crash backoff: the next recording may start a process. */
	reset(): void {
		this.#lifecycle.reset();
	}

	transcribe(
		recording: Recording,
		options: TranscribeOptions,
		signal: AbortSignal,
		checkpoints?: Checkpoints,
	): AsyncIterable<TranscriptEvent> {
		const rest = this.#pipeline(recording, options, signal, checkpoints?.done.length ?? 0);
		return finished(checkpoints ? resumed(rest, checkpoints) : rest, {
			model: this.#options.entry.id,
			task: options.task,
			language: options.language,
		});
	}

	cut(
		recording: Recording,
		options: TranscribeOptions,
		how: CutOptions,
		signal: AbortSignal,
	): AsyncIterable<CutEvent> {
		return cutEvents(this.#pipeline(recording, { ...options, piece: { kind: 'cut', ...how } }, signal, 0));
	}

	listen(options: LiveOptions, take: (event: LiveEvent) => void): LiveStream {
		return this.#live.open(options, take);
	}

	/** Ends the process and frees its memory; the next recording starts another. Call it only while nothing runs. */
	unload(): Promise<void> {
		return this.#lifecycle.unload();
	}

	/** Ends the process for good, killing it after a grace period. Safe to call twice. */
	close(): Promise<void> {
		return this.#lifecycle.close();
	}

	/** Waits for a process that accepts new work; starts one if needed. */
	async #started(): Promise<RunnerProcess> {
		for (;;) {
			await this.start();
			// The process may have ended, or another load may have started, in the meantime.
			const process = this.#lifecycle.ready;
			if (process) return process;
		}
	}

	async *#pipeline(
		recording: Recording,
		options: TranscribeOptions,
		signal: AbortSignal,
		firstClip: number,
	): AsyncGenerator<PipelineEvent> {
		if (signal.aborted) throw new EarshotError('cancelled', 'the recording was cancelled');
		await this.start();
		const request: Request = {
			recording,
			options,
			events: new EventQueue(),
			running: new Set(),
			started: false,
			delivered: firstClip,
			assignment: undefined,
		};
		const cancel = () => {
			if (!this.#requests.has(request)) return;
			this.#fail(request, new EarshotError('cancelled', 'the recording was cancelled'));
		};
		signal.addEventListener('abort', cancel, { once: true });
		this.#requests.add(request);
		const process = this.#lifecycle.ready;
		if (process && !this.#quarantine.current) this.#sendTo(request, process);
		try {
			if (signal.aborted) cancel();
			yield* request.events;
		} finally {
			signal.removeEventListener('abort', cancel);
			cancel();
		}
	}

	/** Sends the requests that may run now: the current suspect alone, or all requests. */
	#submit(): void {
		const process = this.#lifecycle.ready;
		if (!process) return;
		const suspect = this.#quarantine.current;
		for (const request of this.#requests) {
			if (suspect && request !== suspect) this.#withdraw(request);
		}
		for (const request of suspect ? [suspect] : this.#requests) this.#sendTo(request, process);
	}

	#sendTo(request: Request, process: RunnerProcess): void {
		if (request.assignment !== undefined) return;
		const number = this.#nextRequest++;
		this.#assign(request, { process, number });
		const { recording, options, delivered } = request;
		// The recording comes last: serializing anything after it would copy the message into a buffer of twice the size.
		process.send({ type: 'transcribe', request: number, options, firstClip: delivered, recording });
	}

	#assign(request: Request, assignment: Assignment | undefined): void {
		if (request.assignment) {
			request.assignment.process.endWork();
			this.#assigned.delete(request.assignment.number);
		}
		request.assignment = assignment;
		if (assignment) {
			assignment.process.beginWork();
			this.#assigned.set(assignment.number, request);
		}
	}

	/** Cancels the assignment; a later one continues where it stopped. */
	#withdraw(request: Request): void {
		const { assignment } = request;
		if (assignment === undefined) return;
		assignment.process.send({ type: 'cancel', request: assignment.number });
		this.#assign(request, undefined);
		request.running.clear();
		this.#lifecycle.checkDrained();
	}

	/** Withdraws the requests without a running step; the others finish their current clips first. */
	#withdrawIdle(process: RunnerProcess): void {
		for (const request of this.#in(process)) if (request.running.size === 0) this.#withdraw(request);
	}

	#in(process: RunnerProcess): Request[] {
		return [...this.#requests].filter(({ assignment }) => assignment?.process === process);
	}

	#take(process: RunnerProcess, message: Answer): void {
		if (message.type === 'live') {
			this.#live.deliver(process, message.stream, fromWireEvent(message));
			return;
		}
		const request = this.#assigned.get(message.request);
		// Late answers to a request that was cancelled or withdrawn are ignored.
		if (request?.assignment?.process !== process) return;
		switch (message.type) {
			case 'running':
				request.running.add(message.step);
				break;
			case 'step-finished':
				this.#pass(request, message.step);
				break;
			case 'event':
				this.#deliver(request, message.event);
				break;
			case 'finished':
				this.#settle(request);
				request.events.end();
				break;
			case 'failed':
				this.#settle(request);
				request.events.fail(fromWire(message.error));
				break;
		}
	}

	#deliver(request: Request, event: PipelineEvent): void {
		if (event.type === 'started') {
			if (!request.started) request.events.push(event);
			request.started = true;
		} else {
			request.events.push(event);
		}
		if (event.type === 'clip') {
			request.delivered = event.clip + 1;
			this.#lifecycle.reset();
			this.#pass(request, event.clip);
		}
		const isLast = event.type === 'ended';
		if (this.#lifecycle.isOversized(request.assignment?.process) && !isLast) {
			this.#withdraw(request);
			this.#submit();
		}
	}

	#pass(request: Request, step: number): void {
		request.running.delete(step);
		if (this.#quarantine.noteFinished(request, step)) this.#submit();
	}

	#settle(request: Request): void {
		this.#requests.delete(request);
		this.#assign(request, undefined);
		if (this.#quarantine.release(request)) this.#submit();
		this.#lifecycle.checkDrained();
	}

	#fail(request: Request, error: EarshotError): void {
		if (!this.#requests.has(request)) return;
		this.#withdraw(request);
		this.#settle(request);
		request.events.fail(error);
	}

	#failAll(error: EarshotError): void {
		for (const request of [...this.#requests]) this.#fail(request, error);
	}

	/** Handles the end of a process: its requests wait again, become suspects, or fail. */
	#processDied(process: RunnerProcess, how: string): { inFlight: number; explained: boolean } {
		const lost = this.#in(process);
		const stuck = lost.filter(({ assignment }) => assignment?.number === process.stuckRequest);
		for (const request of lost) this.#assign(request, undefined);
		if (this.#lifecycle.isClosing) {
			const error = new EarshotError('closed', 'the server is shutting down');
			this.#failAll(error);
			return { inFlight: lost.length + this.#live.processDied(process, error), explained: true };
		}
		const lostTurns = this.#live.processDied(process, processEnded(how));
		if (process.stuckRequest !== undefined) return this.#processHung(lost, stuck, how, lostTurns);
		const failed = lost.filter((request) => {
			const steps = [...request.running];
			request.running.clear();
			return this.#quarantine.noteDeath(request, steps);
		});
		for (const request of failed) {
			const message = `the engine crashed twice on this recording (${how})${process.stderrTail}`;
			this.#fail(request, new EarshotError('engine_failed', message));
		}
		return { inFlight: lost.length + lostTurns, explained: failed.length > 0 };
	}

	/** Handles the end of a process with a hung step: its request fails without a retry, which would hang for as long
	 * again, and no other request becomes a suspect. */
	#processHung(
		lost: readonly Request[],
		stuck: readonly Request[],
		how: string,
		lostTurns: number,
	): { inFlight: number; explained: boolean } {
		for (const request of lost) request.running.clear();
		for (const request of stuck)
			this.#fail(request, new EarshotError('engine_failed', `the engine hung on this recording (${how})`));
		return { inFlight: lost.length + lostTurns, explained: true };
	}
}
