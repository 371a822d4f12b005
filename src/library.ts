/** Earshot as a library: a model in this process, or in a host of its own. */

import { access, constants } from 'node:fs/promises';
import { systemClock } from './clock.js';
import { hostEnvironment } from './config/environment.js';
import { lanesOf } from './config/resolve.js';
import { type SettingName, settingNames } from './config/settings.js';
import { EarshotError, expected } from './errors.js';
import type { ModelEntry } from './models/registry/entry.js';
import { findInstalled, type Serving, whatToServe } from './models/registry/registry.js';
import { packageRoot, runnerScript } from './paths.js';
import { runPipeline } from './pipeline/pipeline.js';
import { loadModel } from './runner/child/load-model.js';
import { Host } from './runner/runner.js';
import { type HostSettings, hostSettings } from './runner/settings.js';
import { finished } from './speech/assemble.js';
import { checkOptions } from './speech/check-options.js';
import type { ModelFacts } from './speech/model-info.js';
import { type ChunkingOptions, defaultChunking, type TranscribeOptions } from './speech/options.js';
import type { Recording } from './speech/recording.js';
import type { Transcriber } from './speech/transcriber.js';
import type { Segment, Task, Transcript } from './speech/transcript.js';

export interface CreateOptions {
	/** Id or alias of a model in models.yaml; the default model where absent, `demo-digits` on a fresh machine. */
	readonly model?: string;
	/** models.yaml; ~/.config/earshot/models.yaml where absent. */
	readonly config?: string;
	/** Folder of the models. */
	readonly modelDir?: string;
	/** Threads that recognition may use; all cores where absent. */
	readonly numThreads?: number;
	/** Load the model in a child process: a crash in an engine then costs one recording, not your process. */
	readonly isolated?: boolean;
}

export interface RequestOptions {
	readonly task?: Task;
	/** ISO 639-1 code; detected where absent and the model can. */
	readonly language?: string;
	/** Without `language`: what the model chooses among. */
	readonly languages?: readonly string[];
	readonly prompt?: string;
	readonly keywords?: readonly string[];
	/** 0 to 1. */
	readonly temperature?: number;
	/** Ask for the times of words. */
	readonly words?: boolean;
	/** Ask for the log-probabilities of tokens. */
	readonly logprobs?: boolean;
	readonly chunking?: Partial<ChunkingOptions>;
}

export interface CallOptions {
	readonly signal?: AbortSignal;
}

/** A file's bytes in any container, or its path. */
export type Source = Uint8Array | ArrayBuffer | string;

export interface EarshotTranscriber extends AsyncDisposable {
	readonly facts: ModelFacts;
	/** The whole transcript. Throws EarshotError. */
	transcribe(source: Source, options?: RequestOptions, call?: CallOptions): Promise<Transcript>;
	/** Segments as they are finished, in order. Leaving the loop cancels the rest. */
	segments(source: Source, options?: RequestOptions, call?: CallOptions): AsyncIterable<Segment>;
	/** Frees the model. Safe to call twice. */
	close(): Promise<void>;
}

/** Loads a model. Throws EarshotError: `model_not_found`, `model_load_failed`, `engine_missing`, `config_invalid`. */
export async function createTranscriber(options: CreateOptions = {}): Promise<EarshotTranscriber> {
	const serving = whatToServe(flagsOf(options), packageRoot);
	const { transcriber, close } = await openModel(
		serving,
		options.model ?? serving.defaultModel,
		options.isolated ?? false,
	);
	return facade(transcriber, close);
}

export interface OpenModel {
	readonly transcriber: Transcriber;
	readonly close: () => Promise<void>;
}

/** The model of that id or alias, loaded here or in a host. */
export async function openModel(serving: Serving, wanted: string, isolated: boolean): Promise<OpenModel> {
	const entry = findInstalled(serving, wanted);
	const { config } = serving;
	return isolated ? await inHost(entry, hostSettings(config)) : await inProcess(entry, hostSettings(config));
}

async function inProcess(entry: ModelEntry, settings: HostSettings): Promise<OpenModel> {
	const model = await loadModel(entry, settings);
	return {
		transcriber: {
			facts: model.parts.facts,
			transcribe: (recording, options, signal) =>
				finished(runPipeline(model.parts, recording, options, signal), {
					model: entry.id,
					task: options.task,
					language: options.language,
				}),
		},
		close: () => model.close(),
	};
}

async function inHost(entry: ModelEntry, settings: HostSettings): Promise<OpenModel> {
	const host = new Host({
		entry,
		settings,
		script: runnerScript,
		env: hostEnvironment(lanesOf(settings)),
		clock: systemClock,
		maxRssBytes: 0,
	});
	try {
		await host.start();
	} catch (thrown) {
		await host.close();
		throw thrown;
	}
	return { transcriber: host, close: () => host.close() };
}

function facade(transcriber: Transcriber, close: () => Promise<void>): EarshotTranscriber {
	const running = new AbortController();
	let closing: Promise<void> | undefined;

	async function* events(source: Source, options: RequestOptions, { signal }: CallOptions) {
		if (closing) throw new EarshotError('closed', 'the transcriber is closed');
		const full = fullOptions(options, transcriber.facts);
		const either = signal ? AbortSignal.any([signal, running.signal]) : running.signal;
		yield* transcriber.transcribe(await readable(source), full, either);
	}

	const whole: EarshotTranscriber = {
		facts: transcriber.facts,
		async transcribe(source, options = {}, call = {}) {
			for await (const event of events(source, options, call)) {
				if (event.type === 'done') return event.transcript;
			}
			throw new EarshotError('internal', 'the recording ended without a transcript');
		},
		async *segments(source, options = {}, call = {}) {
			for await (const event of events(source, options, call)) {
				if (event.type === 'segments') yield* event.segments;
			}
		},
		close() {
			closing ??= (async () => {
				running.abort();
				await close();
			})();
			return closing;
		},
		[Symbol.asyncDispose]: () => whole.close(),
	};
	return whole;
}

/** A path that cannot be read is the caller's mistake, told as such rather than as broken audio. */
export async function readable(source: Source): Promise<Recording> {
	if (source instanceof ArrayBuffer) return { bytes: new Uint8Array(source) };
	if (source instanceof Uint8Array) return { bytes: source };
	if (typeof source !== 'string') throw expected('source', 'the bytes or the path of a recording', source);
	try {
		await access(source, constants.R_OK);
	} catch (cause) {
		const why = cause instanceof Error ? cause.message : String(cause);
		throw new EarshotError('audio_unsupported', `the recording cannot be read: ${why}`, {
			cause,
			param: 'source',
		});
	}
	return { path: source };
}

/** Defaults filled in, checked against what the model can do. */
export function fullOptions(options: RequestOptions, facts: ModelFacts): TranscribeOptions {
	return checkOptions(
		{
			task: options.task ?? 'transcribe',
			language: options.language ?? null,
			...(options.languages === undefined ? {} : { languages: options.languages }),
			prompt: options.prompt ?? '',
			keywords: options.keywords ?? [],
			temperature: options.temperature ?? 0,
			words: options.words ?? false,
			logprobs: options.logprobs ?? false,
			chunking: { ...defaultChunking, ...options.chunking },
		},
		facts,
	);
}

function flagsOf(options: CreateOptions): Partial<Record<SettingName, string>> {
	const given: Partial<Record<SettingName, string | number | undefined>> = {
		config: options.config,
		modelDir: options.modelDir,
		numThreads: options.numThreads,
	};
	const flags: Partial<Record<SettingName, string>> = {};
	for (const name of settingNames) {
		const value = given[name];
		if (value !== undefined) flags[name] = String(value);
	}
	return flags;
}
