/**
 * The server's side of one model's runner: hands recordings to its process, and hands them to another one when it dies
 * or has grown too big. Whatever happens to a process, a recording goes on with the next one at the clip where it was.
 */

import { asEarshotError, EarshotError, fromWire } from '../errors.js';
import { finished } from '../speech/assemble.js';
import type { PipelineEvent } from '../speech/events.js';
import type { LoadState, ModelInfo } from '../speech/model-info.js';
import type { TranscribeOptions } from '../speech/options.js';
import type { Recording } from '../speech/recording.js';
import type { Transcriber } from '../speech/transcriber.js';
import type { TranscriptEvent } from '../speech/transcript.js';
import { EventQueue } from './event-queue.js';
import { Lifecycle, type LifecycleOptions } from './lifecycle.js';
import type { Answer, RunnerProcess } from './process.js';
import { Quarantine } from './quarantine.js';

export type RunnerOptions = LifecycleOptions;

/** A recording with a process, under a number that is a new one each time it is handed over, so that late answers
 * to an earlier try find nobody. */
interface Assignment {
	readonly process: RunnerProcess;
	readonly number: number;
}

interface Request {
	readonly recording: Recording;
	readonly options: TranscribeOptions;
	readonly events: EventQueue<PipelineEvent>;
	/** What the runner works on for it: positions of clips, and below 0 blocks being cut. */
	readonly running: Set<number>;
	/** `started` has been passed on; a second try must not repeat it. */
	started: boolean;
	/** Clips whose events have been passed on. */
	delivered: number;
	/** undefined while it waits here. */
	assignment: Assignment | undefined;
}

export class Runner implements Transcriber {
	readonly #options: RunnerOptions;
	readonly #lifecycle: Lifecycle;
	readonly #quarantine = new Quarantine<Request>();
	/** Every request that is not settled, in the order they came. */
	readonly #requests = new Set<Request>();
	#nextRequest = 1;

	constructor(options: RunnerOptions) {
		this.#options = options;
		this.#lifecycle = new Lifecycle(options, {
			onAnswer: (process, answer) => this.#take(process, answer),
			onDeath: (process, how) => this.#lost(process, how),
			onReady: () => this.#submit(),
			onFailure: (thrown) => this.#failAll(asEarshotError(thrown)),
			isNeeded: () => this.#requests.size > 0,
			// Suspects are tried alone, in a process of which nothing else is asked meanwhile.
			isUnsettled: () => this.#quarantine.current !== undefined,
			onOversized: (process) => this.#takeBackIdle(process),
			isDrained: (process) => this.#in(process).length === 0,
		});
	}

	get info(): ModelInfo {
		return this.#lifecycle.info;
	}

	get state(): LoadState {
		return this.#lifecycle.state;
	}

	/** Of the present process. */
	get pid(): number | undefined {
		return this.#lifecycle.pid;
	}

	/** Resident memory of its processes, as they said last. */
	get memoryBytes(): number {
		return this.#lifecycle.memoryBytes;
	}

	/** Of the present process when it was loaded; 0 = not known. */
	get loadedBytes(): number {
		return this.#lifecycle.loadedBytes;
	}

	/** Loads the model if it is not loaded; one load however many ask.
	 * Throws `model_load_failed`, `engine_missing`, `model_backoff`, `closed`. */
	start(): Promise<ModelInfo> {
		return this.#lifecycle.start();
	}

	/** Forgets the deaths of its processes: the next recording may start one. */
	reset(): void {
		this.#lifecycle.reset();
	}

	transcribe(
		recording: Recording,
		options: TranscribeOptions,
		signal: AbortSignal,
	): AsyncIterable<TranscriptEvent> {
		return finished(this.#pipeline(recording, options, signal), {
			model: this.#options.entry.id,
			task: options.task,
			language: options.language,
		});
	}

	/** Ends the process and gives its memory back; the next recording starts another. Not for a runner at work. */
	unload(): Promise<void> {
		return this.#lifecycle.unload();
	}

	/** Ends the process for good, gently for a while. Safe to call twice. */
	close(): Promise<void> {
		return this.#lifecycle.close();
	}

	async *#pipeline(
		recording: Recording,
		options: TranscribeOptions,
		signal: AbortSignal,
	): AsyncGenerator<PipelineEvent> {
		if (signal.aborted) throw new EarshotError('cancelled', 'the recording was cancelled');
		await this.start();
		const request: Request = {
			recording,
			options,
			events: new EventQueue(),
			running: new Set(),
			started: false,
			delivered: 0,
			assignment: undefined,
		};
		const cancel = () => {
			if (!this.#requests.has(request)) return;
			this.#fail(request, new EarshotError('cancelled', 'the recording was cancelled'));
		};
		signal.addEventListener('abort', cancel, { once: true });
		this.#requests.add(request);
		this.#submit();
		try {
			if (signal.aborted) cancel();
			yield* request.events;
		} finally {
			signal.removeEventListener('abort', cancel);
			cancel();
		}
	}

	/** Hands over what may run now: the next suspect alone, or everything. */
	#submit(): void {
		const process = this.#lifecycle.ready;
		if (!process) return;
		const suspect = this.#quarantine.current;
		for (const request of this.#requests) {
			if (suspect && request !== suspect) this.#takeBack(request);
		}
		for (const request of suspect ? [suspect] : this.#requests) this.#handOver(request, process);
	}

	#handOver(request: Request, process: RunnerProcess): void {
		if (request.assignment !== undefined) return;
		const number = this.#nextRequest++;
		request.assignment = { process, number };
		const { recording, options, delivered } = request;
		// The recording last: what is written behind it would have the message copied into a buffer of twice the size.
		process.send({ type: 'transcribe', request: number, options, firstClip: delivered, recording });
	}

	/** It goes on later where it stopped. */
	#takeBack(request: Request): void {
		const { assignment } = request;
		if (assignment === undefined) return;
		assignment.process.send({ type: 'cancel', request: assignment.number });
		request.assignment = undefined;
		request.running.clear();
		this.#lifecycle.checkDrained();
	}

	/** What is in the middle of a clip finishes it there. */
	#takeBackIdle(process: RunnerProcess): void {
		for (const request of this.#in(process)) if (request.running.size === 0) this.#takeBack(request);
	}

	#in(process: RunnerProcess): Request[] {
		return [...this.#requests].filter(({ assignment }) => assignment?.process === process);
	}

	#take(process: RunnerProcess, message: Answer): void {
		const request = [...this.#requests].find(
			({ assignment }) => assignment?.process === process && assignment.number === message.request,
		);
		// An answer to what was cancelled or taken back meanwhile.
		if (!request) return;
		switch (message.type) {
			case 'running':
				request.running.add(message.step);
				break;
			case 'passed':
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
		const isThrough = event.type === 'ended';
		if (this.#lifecycle.isOversized(request.assignment?.process) && !isThrough) {
			this.#takeBack(request);
			this.#submit();
		}
	}

	#pass(request: Request, step: number): void {
		request.running.delete(step);
		if (this.#quarantine.notePassed(request, step)) this.#submit();
	}

	#settle(request: Request): void {
		this.#requests.delete(request);
		request.assignment = undefined;
		if (this.#quarantine.release(request)) this.#submit();
		this.#lifecycle.checkDrained();
	}

	#fail(request: Request, error: EarshotError): void {
		if (!this.#requests.has(request)) return;
		this.#takeBack(request);
		this.#settle(request);
		request.events.fail(error);
	}

	#failAll(error: EarshotError): void {
		for (const request of [...this.#requests]) this.#fail(request, error);
	}

	/** The recordings of a process that has ended wait again, become suspects, or fail. */
	#lost(process: RunnerProcess, how: string): { inFlight: number; explained: boolean } {
		const lost = this.#in(process);
		for (const request of lost) request.assignment = undefined;
		if (this.#lifecycle.isClosing) {
			this.#failAll(new EarshotError('closed', 'the server is shutting down'));
			return { inFlight: lost.length, explained: true };
		}
		const guilty = lost.filter((request) => {
			const steps = [...request.running];
			request.running.clear();
			return this.#quarantine.noteDeath(request, steps);
		});
		for (const request of guilty) {
			const message = `the engine died twice on this recording (${how})${process.stderrTail}`;
			this.#fail(request, new EarshotError('engine_failed', message));
		}
		return { inFlight: lost.length, explained: guilty.length > 0 };
	}
}
