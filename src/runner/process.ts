/** One process of a runner: started, told which model to load, spoken to and ended. Decides nothing. */

import { type ChildProcess, type ForkOptions, fork } from 'node:child_process';
import type { Clock } from '../clock.js';
import { EarshotError, fromWire } from '../errors.js';
import type { RunnerReport } from '../metrics.js';
import type { ModelEntry } from '../models/registry/entry.js';
import type { ModelInfo } from '../speech/model-info.js';
import type { FromRunner, ToRunner } from './protocol.js';
import type { RunnerSettings } from './settings.js';

export interface RunnerProcessOptions {
	readonly entry: ModelEntry;
	readonly settings: RunnerSettings;
	/** Compiled runner/child/main.js. */
	readonly script: string;
	/** The child's whole environment. */
	readonly env: NodeJS.ProcessEnv;
	readonly clock: Clock;
	/** A line for the log; the engines' own diagnostics come this way too. */
	readonly onLog?: (line: string) => void;
	/** How its scheduler is doing. */
	readonly onReport?: (report: RunnerReport) => void;
}

/** What a process says once its model is loaded. */
export type Answer = Exclude<FromRunner, { type: 'ready' | 'load-failed' | 'report' }>;

interface Listener {
	readonly onAnswer: (answer: Answer) => void;
	/** The last that is heard of it. `how`: exit code or signal, in words. */
	readonly onEnd: (how: string) => void;
}

/** After `end`, how long a process may take to finish before it is killed, ms. */
const endGraceMs = 5_000;

/** Of the process's stderr, kept for error messages. */
const keptStderr = 4_096;

export class RunnerProcess {
	/** Rejects with `model_load_failed`, `engine_missing` or whatever else the process said, once it has ended. */
	readonly ready: Promise<ModelInfo>;
	readonly #child: ChildProcess;
	readonly #id: string;
	readonly #clock: Clock;
	#info: ModelInfo | undefined;
	#refusal: EarshotError | undefined;
	#stderr = '';
	#loadedBytes = 0;
	#rssBytes = 0;
	#hasEnded = false;
	#ending: Promise<void> | undefined;

	constructor(
		{ entry, settings, script, env, clock, onLog, onReport }: RunnerProcessOptions,
		listener: Listener,
	) {
		this.#id = entry.id;
		this.#clock = clock;
		// execArgv: the server's own flags (inspectors, loaders) are not the runner's; child/run.ts says when garbage is
		// collected. windowsHide, which fork() hands on:
		// a server without a console would open a window for each runner.
		const options = {
			env,
			execArgv: ['--expose-gc'],
			serialization: 'advanced',
			stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
			windowsHide: true,
		} satisfies ForkOptions & { windowsHide: boolean };
		const child = fork(script, [], options);
		this.#child = child;
		child.stderr?.setEncoding('utf8').on('data', (text: string) => {
			this.#stderr = (this.#stderr + text).slice(-keptStderr);
			for (const line of text.split('\n')) if (line.trim() !== '') onLog?.(line);
		});
		this.ready = new Promise((resolve, reject) => {
			const take = (message: FromRunner): void => {
				if (message.type === 'ready') {
					this.#info = message.info;
					this.#loadedBytes = message.rssBytes;
					this.#rssBytes = message.rssBytes;
					resolve(message.info);
				} else if (message.type === 'load-failed') {
					this.#refusal = fromWire(message.error);
					// Not `disconnect()`: a channel closed from this side keeps `close` from being emitted.
					void this.end();
				} else if (message.type === 'report') {
					onReport?.(message.report);
				} else {
					if ('rssBytes' in message) this.#rssBytes = message.rssBytes;
					listener.onAnswer(message);
				}
			};
			child.on('message', (messages: readonly FromRunner[]) => {
				for (const message of messages) take(message);
			});
			const ended = (how: string, error: EarshotError): void => {
				if (this.#hasEnded) return;
				this.#hasEnded = true;
				reject(error);
				listener.onEnd(how);
			};
			child.on('error', (cause) => {
				// A message that could not be sent is no end; a process that was never there is.
				if (child.pid !== undefined) return;
				const message = `the runner of \`${this.#id}\` could not be started: ${cause.message}`;
				ended('never started', new EarshotError('model_load_failed', message, { cause }));
			});
			// `close` rather than `exit`: stderr has been read to its end.
			child.on('close', (code, signal) => {
				const how = signal ? `signal ${signal}` : `exit code ${code}`;
				ended(how, this.#loadFailure(how));
			});
		});
		// Whoever waits for it is told; an end that nobody waits for is told by `onEnd`.
		this.ready.catch(() => {});
		this.send({ type: 'load', entry, settings });
	}

	/** What it said its model is, while it can be spoken to. */
	get info(): ModelInfo | undefined {
		return this.#child.connected ? this.#info : undefined;
	}

	get pid(): number | undefined {
		return this.#child.pid;
	}

	/** Resident memory when the model was loaded; 0 before. */
	get loadedBytes(): number {
		return this.#loadedBytes;
	}

	/** Resident memory as it said last; 0 before the model is loaded. */
	get rssBytes(): number {
		return this.#rssBytes;
	}

	/** Somebody here ends it: its end is no death. */
	get isEnding(): boolean {
		return this.#ending !== undefined;
	}

	/** It said itself why the model cannot be loaded: the next process would say the same. */
	get refused(): boolean {
		return this.#refusal !== undefined;
	}

	/** What the libraries said on stderr last, for the end of a message; '' = nothing. */
	get stderrTail(): string {
		const line = this.#stderr.trim().split('\n').at(-1) ?? '';
		return line === '' ? '' : `; it last said: ${line.slice(0, 300)}`;
	}

	send(message: ToRunner): void {
		// The callback takes the error of a process that ended meanwhile; `onEnd` tells of it.
		if (this.#child.connected) this.#child.send(message, () => {});
	}

	/** Ends a process that does not come to an end with its loading. */
	terminate(why: string): void {
		this.#refusal ??= new EarshotError('model_load_failed', why);
		this.#child.kill('SIGKILL');
	}

	/** Resolves when the process is gone, which is asked gently for a while. Safe to call twice. */
	end(): Promise<void> {
		this.#ending ??= this.#end();
		return this.#ending;
	}

	async #end(): Promise<void> {
		if (this.#hasEnded) return;
		const ended = new Promise<void>((resolve) => this.#child.once('close', () => resolve()));
		this.send({ type: 'close' });
		const stopTimer = this.#clock.after(endGraceMs, () => this.#child.kill('SIGKILL'));
		await ended;
		stopTimer();
	}

	/** The libraries say why on stderr, if anywhere. */
	#loadFailure(how: string): EarshotError {
		const refusal = this.#refusal;
		if (refusal && refusal.code !== 'model_load_failed') return refusal;
		const why = refusal
			? `could not be loaded: ${refusal.message}`
			: `ended its runner while loading (${how})`;
		return new EarshotError('model_load_failed', `The model \`${this.#id}\` ${why}${this.stderrTail}`);
	}
}
