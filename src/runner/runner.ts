/**
 * The server's side of one model's host: starts its process, hands it recordings, starts another one when it dies,
 * and puts another one in its place when it has grown too big.
 *
 * When a host dies, the clips it was running are suspects. Each recording with a suspect clip is tried once
 * more alone, one after another, until that clip is through; then everything else goes on. A clip whose host
 * dies twice fails with `engine_failed`. So one bad recording costs itself, and nobody else's work is lost.
 *
 * Whatever happens to a process, a recording goes on with the next one at the clip where it was.
 */

import { asEarshotError, EarshotError, fromWire } from '../errors.js';
import type { RestartReason } from '../metrics.js';
import { finished } from '../speech/assemble.js';
import type { PipelineEvent } from '../speech/events.js';
import type { LoadState, ModelFacts } from '../speech/model-info.js';
import type { TranscribeOptions } from '../speech/options.js';
import type { Recording } from '../speech/recording.js';
import type { Transcriber } from '../speech/transcriber.js';
import type { TranscriptEvent } from '../speech/transcript.js';
import { CrashHold } from './crash-backoff.js';
import { EventQueue } from './event-queue.js';
import { type Answer, HostProcess, type HostProcessOptions } from './process.js';

export interface HostOptions extends HostProcessOptions {
	/** A process that takes more is replaced between clips; 0 = more than twice what it took once loaded, and 1 GiB. */
	readonly maxRssBytes: number;
	/** Whether another process may be started before the one it replaces has ended; always where absent. */
	readonly hasRoomForTwo?: () => boolean;
	/** Called when `memoryBytes` has changed. */
	readonly onMemory?: () => void;
	/** Another process takes the place of one that is needed. */
	readonly onRestart?: (reason: RestartReason) => void;
}

/** Deaths a clip may be part of before it is given up. */
const maxStrikes = 2;

/** A process that dies while it loads may have been killed by somebody: the model gets a second one. */
const maxLoadTries = 2;

/** Gigabytes from a slow disk take a minute. What has not been loaded by then stands still, and all who wait for it. */
const loadPatienceMs = 10 * 60_000;

/** What a process may grow by without being told a bound: recordings in flight, and whatever engines load late. */
const usualGrowthBytes = 2 ** 30;

/**
 * Between two replacements of a process that grows. Each one costs the work in flight, so one that comes soon after
 * the last doubles the time to the next: a bound below what a model needs slows it down and never stops it.
 */
const firstReplacePauseMs = 60_000;
const longestReplacePauseMs = 60 * 60_000;

/** A recording with a process, under a number that is a new one each time it is handed over, so that late answers
 * to an earlier try find nobody. */
interface Place {
	readonly process: HostProcess;
	readonly number: number;
}

interface Request {
	readonly recording: Recording;
	readonly options: TranscribeOptions;
	readonly events: EventQueue<PipelineEvent>;
	/** What the host works on for it: positions of clips, and below 0 blocks being cut. */
	readonly running: Set<number>;
	/** Clip or block → deaths it was part of. */
	readonly strikes: Map<number, number>;
	/** `started` has been passed on; a second try must not repeat it. */
	started: boolean;
	/** Clips whose events have been passed on. */
	delivered: number;
	/** undefined while it waits here. */
	place: Place | undefined;
}

export class Host implements Transcriber {
	readonly #options: HostOptions;
	readonly #hold = new CrashHold();
	/** Those that have not ended: the present one, and before and after it others for a while. */
	readonly #processes = new Set<HostProcess>();
	/** The one that gets the work. */
	#process: HostProcess | undefined;
	#facts: ModelFacts | undefined;
	#starting: Promise<ModelFacts> | undefined;
	#unloading: Promise<void> | undefined;
	#closing: Promise<void> | undefined;
	/** Has grown too big, and goes when every recording in it is through its clip. */
	#outgrown: HostProcess | undefined;
	#vacating: Promise<void> | undefined;
	#onVacated: (() => void) | undefined;
	#isReplacing = false;
	#replacePauseMs = firstReplacePauseMs;
	#replacedAtMs = -Infinity;
	/** Of a process when it was loaded; 0 = none has been. */
	#loadedBytes = 0;
	/** `memoryBytes` as `onMemory` knows it. */
	#toldBytes = 0;
	#lastDeath = '';
	#nextRequest = 1;
	/** Every request that is not settled, in the order they came. */
	readonly #requests = new Set<Request>();
	/** Requests to be tried alone, in turn. */
	#suspects: Request[] = [];

	constructor(options: HostOptions) {
		this.#options = options;
	}

	get facts(): ModelFacts {
		if (!this.#facts) throw new EarshotError('internal', 'the host has not loaded its model yet');
		return this.#facts;
	}

	get state(): LoadState {
		if (this.#starting) return 'loading';
		if (this.#process?.facts && !this.#unloading) return 'loaded';
		return this.#hold.remainingMs(this.#options.clock.now()) > 0 ? 'on_hold' : 'unloaded';
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
	 * Throws `model_load_failed`, `engine_missing`, `model_on_hold`, `closed`. */
	start(): Promise<ModelFacts> {
		if (this.#closing) return Promise.reject(unloaded());
		const facts = this.#unloading || this.#starting ? undefined : this.#process?.facts;
		if (facts) return Promise.resolve(facts);
		this.#starting ??= this.#load().finally(() => {
			this.#starting = undefined;
		});
		return this.#starting;
	}

	/** Forgets the deaths of its processes: the next recording may start one. */
	lift(): void {
		this.#hold.lift();
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

	/** Ends the process and gives its memory back; the next recording starts another. Not for a host at work. */
	unload(): Promise<void> {
		this.#unloading ??= this.#end().finally(() => {
			this.#unloading = undefined;
		});
		return this.#unloading;
	}

	/** Ends the process for good, gently for a while. Safe to call twice. */
	close(): Promise<void> {
		this.#closing ??= this.#end();
		return this.#closing;
	}

	async #end(): Promise<void> {
		await Promise.all([...this.#processes].map((process) => process.end()));
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
			strikes: new Map(),
			started: false,
			delivered: 0,
			place: undefined,
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
		const process = this.#process;
		if (!process || this.#starting) return;
		const [suspect] = this.#suspects;
		for (const request of this.#requests) {
			if (suspect && request !== suspect) this.#takeBack(request);
		}
		for (const request of suspect ? [suspect] : this.#requests) this.#handOver(request, process);
	}

	#handOver(request: Request, process: HostProcess): void {
		if (request.place !== undefined) return;
		const number = this.#nextRequest++;
		request.place = { process, number };
		const { recording, options, delivered } = request;
		// The recording last: what is written behind it would have the message copied into a buffer of twice the size.
		process.send({ type: 'transcribe', request: number, options, firstClip: delivered, recording });
	}

	/** It goes on later where it stopped. */
	#takeBack(request: Request): void {
		const { place } = request;
		if (place === undefined) return;
		place.process.send({ type: 'cancel', request: place.number });
		request.place = undefined;
		request.running.clear();
		this.#lookVacated();
	}

	async #load(): Promise<ModelFacts> {
		// Their memory has to be back before it is asked for again.
		await Promise.all([this.#unloading, this.#vacating]);
		for (let tries = 1; ; tries++) {
			if (this.#closing) throw unloaded();
			this.#refuseOnHold();
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

	#spawn(): HostProcess {
		const process: HostProcess = new HostProcess(this.#options, {
			onAnswer: (answer) => this.#receive(process, answer),
			onEnd: (how) => this.#ended(process, how),
		});
		this.#processes.add(process);
		return process;
	}

	async #loaded(process: HostProcess): Promise<ModelFacts> {
		const stopTimer = this.#options.clock.after(loadPatienceMs, () =>
			process.giveUp(`it was not in memory after ${loadPatienceMs / 60_000} minutes`),
		);
		try {
			this.#facts = await process.ready;
		} finally {
			stopTimer();
		}
		this.#loadedBytes = process.loadedBytes;
		this.#tellMemory();
		return this.#facts;
	}

	#refuseOnHold(): void {
		const ms = this.#hold.remainingMs(this.#options.clock.now());
		if (ms > 0) throw this.#onHold(ms);
	}

	#onHold(ms: number): EarshotError {
		const retryAfterSeconds = Math.ceil(ms / 1000);
		return new EarshotError(
			'model_on_hold',
			`The model \`${this.#options.entry.id}\` is on hold for ${retryAfterSeconds} s, since its process keeps dying: ${this.#lastDeath}`,
			{ retryAfterSeconds },
		);
	}

	#receive(process: HostProcess, message: Answer): void {
		this.#take(process, message);
		if ('rssBytes' in message) this.#measured(process);
	}

	#take(process: HostProcess, message: Answer): void {
		const request = [...this.#requests].find(
			({ place }) => place?.process === process && place.number === message.request,
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
			this.#hold.lift();
			this.#pass(request, event.clip);
		}
		const isThrough = event.type === 'ended';
		if (this.#outgrown && request.place?.process === this.#outgrown && !isThrough) {
			this.#takeBack(request);
			this.#submit();
		}
	}

	/** A suspect whose struck clips and blocks are all through is none any more. */
	#pass(request: Request, step: number): void {
		request.running.delete(step);
		request.strikes.delete(step);
		if (request.strikes.size === 0) this.#acquit(request);
	}

	#acquit(request: Request): void {
		if (!this.#suspects.includes(request)) return;
		this.#suspects = this.#suspects.filter((suspect) => suspect !== request);
		this.#submit();
	}

	#settle(request: Request): void {
		this.#requests.delete(request);
		request.place = undefined;
		this.#acquit(request);
		this.#lookVacated();
	}

	#fail(request: Request, error: EarshotError): void {
		if (!this.#requests.has(request)) return;
		this.#takeBack(request);
		this.#settle(request);
		request.events.fail(error);
	}

	#ended(process: HostProcess, how: string): void {
		this.#processes.delete(process);
		if (this.#process === process) this.#process = undefined;
		this.#tellMemory();
		const lost = [...this.#requests].filter(({ place }) => place?.process === process);
		for (const request of lost) request.place = undefined;
		if (this.#closing) {
			this.#failAll(new EarshotError('closed', 'the server is shutting down'));
			return;
		}
		const guilty = lost.filter((request) => this.#strike(request, how, process.lastWords));
		if (!process.refused && !process.isEnding) {
			this.#tellOfDeath(how, lost.length);
			this.#lastDeath = `${how}${process.lastWords}`;
			// A clip that was given up explains the death: it tells of the recording and not of the model.
			if (guilty.length === 0) this.#hold.died(this.#options.clock.now());
		}
		this.#lookVacated();
		if (this.#process) this.#submit();
		else if (this.#requests.size > 0) this.#restart('died');
	}

	#failAll(error: EarshotError): void {
		for (const request of [...this.#requests]) this.#fail(request, error);
	}

	#tellOfDeath(how: string, inFlight: number): void {
		const { entry, onLog } = this.#options;
		onLog?.(`the host of ${entry.id} died (${how}) with ${inFlight} recordings in flight`);
	}

	/** Whether the recording has been given up. */
	#strike(request: Request, how: string, lastWords: string): boolean {
		if (request.running.size === 0) return false;
		for (const step of request.running) request.strikes.set(step, (request.strikes.get(step) ?? 0) + 1);
		request.running.clear();
		if (Math.max(...request.strikes.values()) < maxStrikes) {
			if (!this.#suspects.includes(request)) this.#suspects.push(request);
			return false;
		}
		const message = `the engine died twice on this recording (${how})${lastWords}`;
		this.#fail(request, new EarshotError('engine_failed', message));
		return true;
	}

	/** What waits goes on with another process, or fails as that one did. */
	#restart(reason: RestartReason): void {
		// A death while it loads is no restart of its own.
		const counts = !this.#starting;
		this.start().then(
			() => {
				if (counts) this.#options.onRestart?.(reason);
				this.#submit();
			},
			(thrown: unknown) => this.#failAll(asEarshotError(thrown)),
		);
	}

	#measured(process: HostProcess): void {
		this.#tellMemory();
		const { maxRssBytes } = this.#options;
		const bound = maxRssBytes || 2 * process.loadedBytes + usualGrowthBytes;
		if (process !== this.#process || process.rssBytes <= bound) return;
		const sinceMs = this.#options.clock.now() - this.#replacedAtMs;
		// Suspects are tried alone, in a process of which nothing else is asked meanwhile.
		const busy = this.#isReplacing || this.#unloading || this.#closing || this.#suspects.length > 0;
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

	#tellMemory(): void {
		const bytes = this.memoryBytes;
		if (bytes === this.#toldBytes) return;
		this.#toldBytes = bytes;
		this.#options.onMemory?.();
	}

	/** Never rejects: where there is no other process to be had, the one that has grown goes on. */
	async #replace(outgrown: HostProcess): Promise<void> {
		const { entry, onLog, hasRoomForTwo } = this.#options;
		onLog?.(`the host of ${entry.id} has grown to ${outgrown.rssBytes} bytes, and is replaced`);
		let next: HostProcess | undefined;
		if (hasRoomForTwo?.() ?? true) {
			next = this.#spawn();
			const failed = await this.#loaded(next).then(
				() => false,
				() => true,
			);
			if (failed) return;
			// It has died, or was unloaded, meanwhile.
			if (this.#process !== outgrown || this.#unloading || this.#closing) return await next.end();
		}
		this.#process = next;
		this.#outgrown = outgrown;
		this.#vacating = this.#vacate(outgrown);
		if (next || this.#requests.size > 0) this.#restart('grew');
		await this.#vacating;
	}

	/** What is in the middle of a clip finishes it there. */
	async #vacate(outgrown: HostProcess): Promise<void> {
		const vacated = new Promise<void>((resolve) => (this.#onVacated = resolve));
		for (const request of this.#requests)
			if (request.place?.process === outgrown && request.running.size === 0) this.#takeBack(request);
		this.#lookVacated();
		await vacated;
		await outgrown.end();
		this.#outgrown = undefined;
		this.#vacating = undefined;
	}

	#lookVacated(): void {
		const outgrown = this.#outgrown;
		if (outgrown && ![...this.#requests].some(({ place }) => place?.process === outgrown))
			this.#onVacated?.();
	}
}

function unloaded(): EarshotError {
	return new EarshotError('closed', 'the model is being unloaded');
}
