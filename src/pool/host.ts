/**
 * The server's side of one host process: starts it, hands it recordings, and starts it again when it dies.
 *
 * When a host dies, the clips it was running are suspects. Each recording with a suspect clip is tried once
 * more alone, one after another, until that clip is through; then everything else goes on. A clip whose host
 * dies twice fails with `engine_failed`. So one bad recording costs itself, and nobody else's work is lost.
 */

import { type ChildProcess, fork } from 'node:child_process';
import type { ModelEntry } from '../catalog/model-entry.js';
import type { ModelFacts } from '../engines/engine.js';
import { asEarshotError, EarshotError, fromWire } from '../errors.js';
import { finished, type PipelineEvent } from '../transcriber/pipeline.js';
import type { Recording, TranscribeOptions, Transcriber } from '../transcriber/transcriber.js';
import type { TranscriptEvent } from '../transcriber/transcript.js';
import { EventQueue } from './event-queue.js';
import type { HostSettings } from './host-settings.js';
import type { LoadState } from './model-pool.js';
import type { FromHost, ToHost } from './protocol.js';

export interface HostOptions {
	readonly entry: ModelEntry;
	readonly settings: HostSettings;
	/** Compiled host-main.js. */
	readonly script: string;
	/** The child's whole environment. */
	readonly env: NodeJS.ProcessEnv;
	/** A line for the log; the engines' own diagnostics come this way too. */
	readonly onLog?: (line: string) => void;
}

/** Deaths a clip may be part of before it is given up. */
const maxStrikes = 2;

/** After `close`, how long a host may take to finish before it is killed, ms. */
const closeGraceMs = 5_000;

/** Of the host's stderr, kept for error messages. */
const keptStderr = 4_096;

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
	#child: ChildProcess | undefined;
	#stderr = '';
	#facts: ModelFacts | undefined;
	#starting: Promise<ModelFacts> | undefined;
	#closing: Promise<void> | undefined;
	#nextRequest = 1;
	/** Every request that is not settled, in the order they came. */
	readonly #requests = new Set<Request>();
	/** Called when there is none any more. */
	readonly #idle: (() => void)[] = [];
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
		return this.#child?.connected ? 'loaded' : 'unloaded';
	}

	/** Of the present process. */
	get pid(): number | undefined {
		return this.#child?.pid;
	}

	/** Loads the model if it is not loaded; one load however many ask. Throws `model_load_failed`, `engine_missing`, `closed`. */
	start(): Promise<ModelFacts> {
		if (this.#closing) return Promise.reject(new EarshotError('closed', 'the model is being unloaded'));
		if (this.#child?.connected && this.#facts && !this.#starting) return Promise.resolve(this.#facts);
		this.#starting ??= this.#spawn().finally(() => {
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

	/** Ends the process when the last request in it is through. */
	async retire(): Promise<void> {
		if (this.#requests.size > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
		await this.close();
	}

	/** Ends the process, gently for a while. Safe to call twice. */
	close(): Promise<void> {
		this.#closing ??= this.#end();
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
		if (!this.#child || this.#starting) return;
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
		this.#send({ type: 'transcribe', request: number, recording, options, firstClip: delivered });
	}

	/** It goes on later where it stopped. */
	#takeBack(request: Request): void {
		if (request.number === undefined) return;
		this.#send({ type: 'cancel', request: request.number });
		request.number = undefined;
		request.running.clear();
	}

	#send(message: ToHost): void {
		if (this.#child?.connected) this.#child.send(message);
	}

	#spawn(): Promise<ModelFacts> {
		return new Promise((resolve, reject) => {
			const { script, env, entry, settings, onLog } = this.#options;
			this.#stderr = '';
			let refused: EarshotError | undefined;
			// execArgv: the server's own flags (inspectors, loaders) are not the host's.
			const child = fork(script, [], {
				env,
				execArgv: [],
				serialization: 'advanced',
				stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
			});
			this.#child = child;
			child.stderr?.setEncoding('utf8').on('data', (text: string) => {
				this.#stderr = (this.#stderr + text).slice(-keptStderr);
				for (const line of text.split('\n')) if (line.trim() !== '') onLog?.(line);
			});
			child.on('message', (message: FromHost) => {
				if (message.type === 'ready') {
					this.#facts = message.facts;
					resolve(message.facts);
				} else if (message.type === 'load-failed') {
					refused = fromWire(message.error);
					// Not `disconnect()`: a channel closed from this side keeps `close` from being emitted.
					this.#send({ type: 'close' });
				} else {
					this.#receive(message);
				}
			});
			child.on('error', (cause) => {
				reject(
					new EarshotError(
						'model_load_failed',
						`the host of \`${entry.id}\` could not be started: ${cause.message}`,
						{ cause },
					),
				);
			});
			// `close` rather than `exit`: stderr has been read to its end.
			child.on('close', (code, signal) => {
				const how = signal ? `signal ${signal}` : `exit code ${code}`;
				reject(this.#loadFailure(refused, how));
				if (this.#child === child) this.#died(how);
			});
			this.#send({ type: 'load', entry, settings });
		});
	}

	/** The libraries say why on stderr, if anywhere. */
	#loadFailure(refused: EarshotError | undefined, how: string): EarshotError {
		const { id } = this.#options.entry;
		if (this.#closing) return new EarshotError('closed', 'the model is being unloaded');
		if (refused && refused.code !== 'model_load_failed') return refused;
		const why = refused ? `could not be loaded: ${refused.message}` : `ended its host while loading (${how})`;
		return new EarshotError('model_load_failed', `The model \`${id}\` ${why}${this.#lastWords()}`);
	}

	#receive(message: Exclude<FromHost, { type: 'ready' | 'load-failed' }>): void {
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
		} else {
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
		if (this.#requests.size === 0) for (const resolve of this.#idle.splice(0)) resolve();
	}

	#fail(request: Request, error: EarshotError): void {
		if (!this.#requests.has(request)) return;
		this.#takeBack(request);
		this.#settle(request);
		request.events.fail(error);
	}

	#died(how: string): void {
		this.#child = undefined;
		const lost = [...this.#requests].filter(({ number }) => number !== undefined);
		for (const request of lost) request.number = undefined;
		if (this.#closing) {
			for (const request of [...this.#requests])
				this.#fail(request, new EarshotError('closed', 'the server is shutting down'));
			return;
		}
		this.#options.onLog?.(
			`the host of ${this.#options.entry.id} died (${how}) with ${lost.length} recordings in flight`,
		);
		for (const request of lost) this.#strike(request, how);
		if (this.#requests.size > 0) this.#restart();
	}

	#strike(request: Request, how: string): void {
		if (request.running.size === 0) return;
		for (const clip of request.running) request.strikes.set(clip, (request.strikes.get(clip) ?? 0) + 1);
		request.running.clear();
		if (Math.max(...request.strikes.values()) >= maxStrikes) {
			this.#fail(
				request,
				new EarshotError(
					'engine_failed',
					`the engine died twice on this recording (${how})${this.#lastWords()}`,
				),
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

	#lastWords(): string {
		const line = this.#stderr.trim().split('\n').at(-1) ?? '';
		return line === '' ? '' : `; it last said: ${line.slice(0, 300)}`;
	}

	async #end(): Promise<void> {
		const child = this.#child;
		if (!child || child.exitCode !== null || child.signalCode !== null) return;
		const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
		this.#send({ type: 'close' });
		const kill = setTimeout(() => child.kill('SIGKILL'), closeGraceMs);
		await ended;
		clearTimeout(kill);
	}
}
