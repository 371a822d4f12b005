/**
 * The server's side of one host process: starts it, hands it recordings, and starts it again when it dies.
 *
 * When a host dies, the clips it was running are suspects. Each recording with a suspect clip is tried once
 * more alone, one after another, until that clip is through; then everything else goes on. A clip whose host
 * dies twice fails with `engine_failed`. So one bad recording costs itself, and nobody else's work is lost.
 */

import type { ModelFacts } from '../engines/engine.js';
import { asEarshotError, EarshotError, fromWire } from '../errors.js';
import { finished, type PipelineEvent } from '../transcriber/pipeline.js';
import type { Recording, TranscribeOptions, Transcriber } from '../transcriber/transcriber.js';
import type { TranscriptEvent } from '../transcriber/transcript.js';
import { EventQueue } from './event-queue.js';
import { type Answer, HostProcess, type HostProcessOptions } from './host-process.js';
import type { LoadState } from './model-pool.js';

export type HostOptions = HostProcessOptions;

/** Deaths a clip may be part of before it is given up. */
const maxStrikes = 2;

/** A process that dies while it loads may have been killed by somebody: the model gets a second one. */
const maxLoadTries = 2;

interface Request {
	readonly recording: Recording;
	readonly options: TranscribeOptions;
	readonly events: EventQueue<PipelineEvent>;
	/** What the host works on for it: -1 = decoding, else clip positions. */
	readonly running: Set<number>;
	/** Clip → deaths it was part of. */
	readonly strikes: Map<number, number>;
	/** `started` has been passed on; a second try must not repeat it. */
	started: boolean;
	/** Clips whose events have been passed on. */
	delivered: number;
	/** Its number with the present process; undefined while it waits here. A new one each time it is handed
	 * over, so that late answers to an earlier try find nobody. */
	number: number | undefined;
}

export class Host implements Transcriber {
	readonly #options: HostOptions;
	#process: HostProcess | undefined;
	#facts: ModelFacts | undefined;
	#starting: Promise<ModelFacts> | undefined;
	#unloading: Promise<void> | undefined;
	#closing: Promise<void> | undefined;
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
		return this.#process?.facts && !this.#unloading ? 'loaded' : 'unloaded';
	}

	/** Of the present process. */
	get pid(): number | undefined {
		return this.#process?.pid;
	}

	/** Loads the model if it is not loaded; one load however many ask. Throws `model_load_failed`, `engine_missing`, `closed`. */
	start(): Promise<ModelFacts> {
		if (this.#closing) return Promise.reject(unloaded());
		const facts = this.#unloading || this.#starting ? undefined : this.#process?.facts;
		if (facts) return Promise.resolve(facts);
		this.#starting ??= this.#load().finally(() => {
			this.#starting = undefined;
		});
		return this.#starting;
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
		this.#unloading ??= (this.#process?.end() ?? Promise.resolve()).finally(() => {
			this.#unloading = undefined;
		});
		return this.#unloading;
	}

	/** Ends the process for good, gently for a while. Safe to call twice. */
	close(): Promise<void> {
		this.#closing ??= this.#process?.end() ?? Promise.resolve();
		return this.#closing;
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
			number: undefined,
		};
		const cancel = () => this.#fail(request, new EarshotError('cancelled', 'the recording was cancelled'));
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
		if (!this.#process || this.#starting) return;
		const [suspect] = this.#suspects;
		for (const request of this.#requests) {
			if (suspect && request !== suspect) this.#takeBack(request);
		}
		for (const request of suspect ? [suspect] : this.#requests) this.#handOver(request);
	}

	#handOver(request: Request): void {
		if (request.number !== undefined) return;
		request.number = this.#nextRequest++;
		const { number, recording, options, delivered } = request;
		this.#process?.send({ type: 'transcribe', request: number, recording, options, firstClip: delivered });
	}

	/** It goes on later where it stopped. */
	#takeBack(request: Request): void {
		if (request.number === undefined) return;
		this.#process?.send({ type: 'cancel', request: request.number });
		request.number = undefined;
		request.running.clear();
	}

	async #load(): Promise<ModelFacts> {
		// Its memory has to be back before it is asked for again.
		await this.#unloading;
		for (let tries = 1; ; tries++) {
			if (this.#closing) throw unloaded();
			const process: HostProcess = new HostProcess(this.#options, {
				onAnswer: (answer) => this.#receive(answer),
				onEnd: (how) => this.#ended(process, how),
			});
			this.#process = process;
			try {
				this.#facts = await process.ready;
				return this.#facts;
			} catch (thrown) {
				if (this.#closing || this.#unloading) throw unloaded();
				if (process.refused || process.pid === undefined || tries === maxLoadTries) throw thrown;
			}
		}
	}

	#receive(message: Answer): void {
		const request = [...this.#requests].find(({ number }) => number === message.request);
		// An answer to what was cancelled or taken back meanwhile.
		if (!request) return;
		switch (message.type) {
			case 'running':
				request.running.add(message.clip);
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
			request.running.delete(-1);
			this.#clear(request, -1);
			if (request.started) return;
			request.started = true;
		} else if (event.type === 'clip') {
			request.running.delete(event.clip);
			request.delivered = event.clip + 1;
			this.#clear(request, event.clip);
		}
		request.events.push(event);
	}

	/** A suspect whose struck clips are all through is none any more. */
	#clear(request: Request, clip: number): void {
		request.strikes.delete(clip);
		if (request.strikes.size === 0) this.#acquit(request);
	}

	#acquit(request: Request): void {
		if (!this.#suspects.includes(request)) return;
		this.#suspects = this.#suspects.filter((suspect) => suspect !== request);
		this.#submit();
	}

	#settle(request: Request): void {
		this.#requests.delete(request);
		this.#acquit(request);
	}

	#fail(request: Request, error: EarshotError): void {
		if (!this.#requests.has(request)) return;
		this.#takeBack(request);
		this.#settle(request);
		request.events.fail(error);
	}

	#ended(process: HostProcess, how: string): void {
		if (this.#process !== process) return;
		this.#process = undefined;
		const lost = [...this.#requests].filter(({ number }) => number !== undefined);
		for (const request of lost) request.number = undefined;
		if (this.#closing) {
			for (const request of [...this.#requests])
				this.#fail(request, new EarshotError('closed', 'the server is shutting down'));
			return;
		}
		if (!process.refused && !this.#unloading) this.#tellOfDeath(how, lost.length);
		for (const request of lost) this.#strike(request, how, process.lastWords);
		if (this.#requests.size > 0) this.#restart();
	}

	#tellOfDeath(how: string, inFlight: number): void {
		const { entry, onLog } = this.#options;
		onLog?.(`the host of ${entry.id} died (${how}) with ${inFlight} recordings in flight`);
	}

	#strike(request: Request, how: string, lastWords: string): void {
		if (request.running.size === 0) return;
		for (const clip of request.running) request.strikes.set(clip, (request.strikes.get(clip) ?? 0) + 1);
		request.running.clear();
		if (Math.max(...request.strikes.values()) >= maxStrikes) {
			this.#fail(
				request,
				new EarshotError('engine_failed', `the engine died twice on this recording (${how})${lastWords}`),
			);
		} else if (!this.#suspects.includes(request)) {
			this.#suspects.push(request);
		}
	}

	#restart(): void {
		this.start().then(
			() => this.#submit(),
			(thrown: unknown) => {
				for (const request of [...this.#requests]) this.#fail(request, asEarshotError(thrown));
			},
		);
	}
}

function unloaded(): EarshotError {
	return new EarshotError('closed', 'the model is being unloaded');
}
