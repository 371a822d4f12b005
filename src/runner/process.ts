/** One runner process: forks it, exchanges messages with it and ends it. Makes no decisions. */

import { type ChildProcess, type ForkOptions, fork } from 'node:child_process';
import type { Socket } from 'node:net';
import type { Clock } from '../core/clock.js';
import { asEarshotError, EarshotError, fromWire } from '../core/errors.js';
import type { RunnerReport } from '../core/metrics.js';
import type { ModelInfo } from '../core/speech/model-info.js';
import type { ModelEntry } from '../models/registry/entry.js';
import { Heartbeat } from './heartbeat.js';
import type { MeasuredSpeed } from './measured-speed.js';
import type { FromRunner, ToRunner, WorkReport } from './protocol.js';
import type { RunnerSettings } from './settings.js';
import { StuckWork } from './stuck-work.js';

export interface RunnerProcessOptions {
	readonly entry: ModelEntry;
	readonly settings: RunnerSettings;
	/** Compiled runner/child/main.js. */
	readonly script: string;
	/** The child's whole environment. */
	readonly env: NodeJS.ProcessEnv;
	readonly clock: Clock;
	/** How long a process with work may miss heartbeats before it is killed, ms; 0 = forever. */
	readonly hangTimeoutMs: number;
	/** Called with each log line: with a level for what an engine logs, without one for the process's stderr. */
	readonly onLog?: (line: string, level?: 'warn' | 'error') => void;
	/** Called with each report of the process's scheduler. */
	readonly onReport?: (report: RunnerReport) => void;
}

/** A message about a request, from a process with a loaded model. */
export type Answer = Exclude<FromRunner, { type: 'ready' | 'load-failed' | 'log' | 'report' | 'pong' }>;

interface Listener {
	readonly onAnswer: (answer: Answer) => void;
	/** The process has ended; no answers follow. `how`: exit code or signal, in words. */
	readonly onEnd: (how: string) => void;
}

/** How long a process may take to end after `end` before it is killed, ms. */
const endGraceMs = 5_000;

/** Characters of the process's stderr kept for error messages. */
const maxStderrChars = 4_096;

export class RunnerProcess {
	/** Resolves when the model is loaded. Rejects with `model_load_failed`, `engine_missing` or another error that the
	 * process reported, once it has ended. */
	readonly ready: Promise<ModelInfo>;
	readonly #child: ChildProcess;
	readonly #id: string;
	readonly #clock: Clock;
	#info: ModelInfo | undefined;
	#refusal: EarshotError | undefined;
	#stderr = '';
	#loadedBytes = 0;
	#rssBytes = 0;
	readonly #heartbeat: Heartbeat;
	/** Number of recordings and live streams assigned to the process. */
	#work = 0;
	readonly #stuck: StuckWork;
	/** Why the process was killed as hung, in words; undefined = it was not. */
	#hang: string | undefined;
	#stuckRequest: number | undefined;
	#hasEnded = false;
	/** Whether the child keeps this process from exiting, as any child process does at first. */
	#isHeld = true;
	#ending: Promise<void> | undefined;

	constructor(
		{ entry, settings, script, env, clock, hangTimeoutMs, onLog, onReport }: RunnerProcessOptions,
		listener: Listener,
		speed: MeasuredSpeed,
	) {
		this.#id = entry.id;
		this.#stuck = new StuckWork(speed);
		this.#clock = clock;
		const child = forked(script, env);
		this.#child = child;
		this.#heartbeat = new Heartbeat({
			clock,
			timeoutMs: hangTimeoutMs,
			ping: () => this.send({ type: 'ping' }),
			onHung: () => this.#killHung(`no response for ${hangTimeoutMs / 1000} s`),
		});
		child.stderr?.setEncoding('utf8').on('data', (text: string) => {
			this.#stderr = (this.#stderr + text).slice(-maxStderrChars);
			for (const line of text.split('\n')) if (line.trim() !== '') onLog?.(line);
		});
		this.ready = new Promise((resolve, reject) => {
			const take = (message: FromRunner): void => {
				if (message.type === 'ready') {
					this.#info = message.info;
					this.#loadedBytes = message.rssBytes;
					this.#rssBytes = message.rssBytes;
					this.#keepAlive();
					resolve(message.info);
				} else if (message.type === 'load-failed') {
					this.#refusal = fromWire(message.error);
					// Not `disconnect()`: if this side closes the channel, `close` is never emitted.
					void this.end();
				} else if (message.type === 'log') {
					onLog?.(`the runner of ${this.#id}: ${message.line}`, message.level);
				} else if (message.type === 'report') {
					onReport?.(message.report);
				} else if (message.type === 'pong') {
					this.#checkWork(message.work);
				} else {
					if ('rssBytes' in message) this.#rssBytes = message.rssBytes;
					listener.onAnswer(message);
				}
			};
			child.on('message', (messages: readonly FromRunner[]) => {
				this.#heartbeat.answered();
				for (const message of messages) take(message);
			});
			const ended = (how: string, error: EarshotError): void => {
				if (this.#hasEnded) return;
				this.#hasEnded = true;
				this.#heartbeat.end();
				reject(error);
				listener.onEnd(how);
			};
			child.on('error', (cause) => {
				// A message that could not be sent does not end the process; a failed start does.
				if (child.pid !== undefined) return;
				// The cause may be temporary, such as a lack of file descriptors.
				const system = asEarshotError(cause);
				const message = `the runner process of \`${this.#id}\` could not be started: ${cause.message}`;
				const failure = new EarshotError('model_load_failed', message, { cause });
				ended('never started', system.code === 'internal' ? failure : system);
			});
			// `close` rather than `exit`: by then stderr has been read completely.
			child.on('close', (code, signal) => {
				const ending = signal ? `signal ${signal}` : `exit code ${code}`;
				const how = this.#hang ?? ending;
				ended(how, this.#loadFailure(how));
			});
		});
		// Without a caller awaiting it, a rejection must not count as unhandled: `onEnd` reports it.
		this.ready.catch(() => {});
		this.send({ type: 'load', entry, settings });
	}

	/** Info of the loaded model, while the channel to the process is open. */
	get info(): ModelInfo | undefined {
		return this.#child.connected ? this.#info : undefined;
	}

	get pid(): number | undefined {
		return this.#child.pid;
	}

	/** Resident memory right after loading; 0 before. */
	get loadedBytes(): number {
		return this.#loadedBytes;
	}

	/** Resident memory as last reported; 0 before the model is loaded. */
	get rssBytes(): number {
		return this.#rssBytes;
	}

	/** Whether `end` was called, so that the exit is not a crash. */
	get isEnding(): boolean {
		return this.#ending !== undefined;
	}

	/** Whether the process was killed because it missed heartbeats or one of its steps hung. */
	get isHung(): boolean {
		return this.#hang !== undefined;
	}

	/** The request whose step hung, if the process was killed for that. */
	get stuckRequest(): number | undefined {
		return this.#stuckRequest;
	}

	/** Whether the process answers heartbeats, which are only sent while it has work. */
	get isAnswering(): boolean {
		return this.#heartbeat.isAnswering;
	}

	/** Whether the process reported why the model cannot be loaded, so that another process would fail the same way. */
	get refused(): boolean {
		return this.#refusal !== undefined;
	}

	/** The last line on stderr, to append to an error message; '' = none. */
	get stderrTail(): string {
		const line = this.lastOutput;
		return line === '' ? '' : `; its last output: ${line}`;
	}

	/** The last line on stderr, at most 300 characters; '' = none. */
	get lastOutput(): string {
		return (this.#stderr.trim().split('\n').at(-1) ?? '').slice(0, 300);
	}

	send(message: ToRunner): void {
		// The callback swallows the error of a process that has just ended, which `onEnd` reports.
		if (this.#child.connected) this.#child.send(message, () => {});
	}

	/** A recording or live stream was assigned. */
	beginWork(): void {
		this.#work++;
		this.#heartbeat.begin();
		this.#keepAlive();
	}

	/** A recording or live stream has finished, or was withdrawn. */
	endWork(): void {
		this.#work--;
		if (this.#work === 0) this.#heartbeat.rest();
		this.#keepAlive();
	}

	/** While the child loads, works or ends, it keeps this process from exiting; otherwise it ends with this process. */
	#keepAlive(): void {
		const isNeeded = this.#work > 0 || this.#info === undefined || this.#ending !== undefined;
		if (isNeeded === this.#isHeld) return;
		this.#isHeld = isNeeded;
		const { channel, stderr } = this.#child;
		const handles = [this.#child, channel, stderr as Socket | null];
		for (const handle of handles) {
			if (isNeeded) handle?.ref();
			else handle?.unref();
		}
	}

	#checkWork(work: WorkReport): void {
		const stuck = this.#stuck.note(work, this.#heartbeat.everyMs);
		if (stuck === undefined) return;
		this.#stuckRequest = work.oldest?.request;
		this.#killHung(stuck);
	}

	#killHung(why: string): void {
		this.#hang ??= why;
		this.#heartbeat.end();
		this.#child.kill('SIGKILL');
	}

	/** Kills a process whose load hangs; `ready` rejects with `why`. */
	terminate(why: string): void {
		this.#refusal ??= new EarshotError('model_load_failed', why);
		this.#child.kill('SIGKILL');
	}

	/** Asks the process to end, kills it after a grace period, and resolves when it has ended. Safe to call twice. */
	end(): Promise<void> {
		if (this.#ending) return this.#ending;
		this.#ending = this.#end();
		this.#keepAlive();
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

	/** Why the model is not loaded. A library that ends the process reports its reason on stderr, if at all. */
	#loadFailure(how: string): EarshotError {
		const refusal = this.#refusal;
		if (refusal && refusal.code !== 'model_load_failed') return refusal;
		const why = refusal
			? `could not be loaded: ${refusal.message}`
			: `crashed its runner process while loading (${how})`;
		return new EarshotError('model_load_failed', `The model \`${this.#id}\` ${why}${this.stderrTail}`);
	}
}

function forked(script: string, env: NodeJS.ProcessEnv): ChildProcess {
	// execArgv: without the server's own flags (inspectors, loaders); `gc` is called by child/run.ts.
	// windowsHide, which fork() passes on: a server without a console would open a window for each runner.
	const options = {
		env,
		execArgv: ['--expose-gc'],
		serialization: 'advanced',
		stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
		windowsHide: true,
	} satisfies ForkOptions & { windowsHide: boolean };
	return fork(script, [], options);
}
