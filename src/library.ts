/** Earshot as a library: a model in this process, or in its own runner process. */

import { setMaxListeners } from 'node:events';
import { access, constants } from 'node:fs/promises';
import { systemClock } from './clock.js';
import { runnerEnvironment } from './config/environment.js';
import { slotsOf } from './config/resolve.js';
import { type SettingName, settingNames } from './config/settings.js';
import { EarshotError, expected } from './errors.js';
import type { ModelEntry } from './models/registry/entry.js';
import { findInstalled, loadRegistry, type ModelRegistry } from './models/registry/registry.js';
import { packageRoot, runnerScript } from './paths.js';
import { runPipeline } from './pipeline/pipeline.js';
import { loadModel } from './runner/child/load-model.js';
import { Runner } from './runner/runner.js';
import { type RunnerSettings, runnerSettings } from './runner/settings.js';
import { finished } from './speech/assemble.js';
import { checkOptions } from './speech/check-options.js';
import type { ModelInfo } from './speech/model-info.js';
import { type ChunkingOptions, defaultChunking, type TranscribeOptions } from './speech/options.js';
import type { Recording } from './speech/recording.js';
import type { Transcriber } from './speech/transcriber.js';
import type { Segment, Task, Transcript } from './speech/transcript.js';

export interface CreateOptions {
	/** Id or alias of a model in models.yaml; the default model where absent, `demo-digits` on a fresh machine. */
	readonly model?: string;
	/** Path of models.yaml; ~/.config/earshot/models.yaml where absent. */
	readonly config?: string;
	/** Folder that holds the models; where absent, as models.yaml and the environment say. */
	readonly modelDir?: string;
	/** Threads used for recognition, 1 or more; all cores where absent. */
	readonly numThreads?: number;
	/**
	 * Load the model in a child process, so that a crash in an engine fails one recording and not your process. Costs
	 * a second Node process; default false.
	 */
	readonly isolated?: boolean;
}

/**
 * Options of one transcription. What the model does not support is refused with EarshotError `unsupported_value` or
 * `invalid_request`, whose `param` names the field; see `info.capabilities`.
 */
export interface RequestOptions {
	/** `translate`: into English; only models with `translates`. Default `transcribe`. */
	readonly task?: Task;
	/** ISO 639-1 code; where absent, detected by models that can. */
	readonly language?: string;
	/** Without `language`: ISO 639-1 codes that the model chooses among; only models with `choosesAmongLanguages`. */
	readonly languages?: readonly string[];
	/** Text assumed to precede the recording; the model follows its spelling and style. Only models with `prompt`. */
	readonly prompt?: string;
	/** Words or phrases that are likely to occur. Only models with `keywords`. */
	readonly keywords?: readonly string[];
	/** 0 to 1; default 0, always the likeliest token. Other values only with models that have `temperature`. */
	readonly temperature?: number;
	/** Include word timestamps: `Segment.words`. Default false; with Whisper it costs a second pass of the decoder. */
	readonly words?: boolean;
	/** Include the log-probabilities of tokens: `Segment.logprobs`. Default false. */
	readonly logprobs?: boolean;
	/** How speech is detected in the recording; an absent field has its default. */
	readonly chunking?: Partial<ChunkingOptions>;
}

export interface CallOptions {
	/** Cancels the call, which then fails with EarshotError `cancelled`. */
	readonly signal?: AbortSignal;
}

/**
 * The bytes of an audio file in any container (WAV, MP3, FLAC, Ogg, M4A, WebM …), or its path. Must not change before
 * the call ends.
 */
export type Source = Uint8Array | ArrayBuffer | string;

/** A loaded model. Calls may run concurrently: the clips of several recordings share its threads. */
export interface EarshotTranscriber extends AsyncDisposable {
	/** The model's engine, device and capabilities. */
	readonly info: ModelInfo;
	/**
	 * The complete transcript. Throws EarshotError: `invalid_request` and `unsupported_value` (see RequestOptions),
	 * `audio_unsupported` (no audio, or a path that cannot be read), `audio_too_short` (under 0.1 s), `engine_failed`,
	 * `cancelled`, `closed`.
	 */
	transcribe(source: Source, options?: RequestOptions, call?: CallOptions): Promise<Transcript>;
	/**
	 * Segments in the order of the recording, each as soon as its clip is transcribed; the first segments of a long
	 * recording come while the rest is still being decoded. Leaving the loop cancels the rest. Throws as `transcribe`.
	 */
	segments(source: Source, options?: RequestOptions, call?: CallOptions): AsyncIterable<Segment>;
	/** Cancels running calls and unloads the model; resolves when its memory is freed. Safe to call twice. */
	close(): Promise<void>;
}

/**
 * Loads a model, which stays in memory until `close`. Loading takes from a tenth of a second to many seconds, and at
 * least the size of the model's files in memory. Downloads nothing: use `earshot pull`. Throws EarshotError:
 * `model_not_found`, `model_load_failed`, `engine_missing` (the engine's library is not installed), `config_invalid`.
 */
export async function createTranscriber(options: CreateOptions = {}): Promise<EarshotTranscriber> {
	const registry = loadRegistry(flagsOf(options), packageRoot);
	const { transcriber, close } = await openModel(
		registry,
		options.model ?? registry.defaultModel,
		options.isolated ?? false,
	);
	return facade(transcriber, close);
}

export interface OpenModel {
	readonly transcriber: Transcriber;
	readonly close: () => Promise<void>;
}

/** Loads the model of an id or alias, in this process or in a runner. */
export async function openModel(
	registry: ModelRegistry,
	idOrAlias: string,
	isolated: boolean,
): Promise<OpenModel> {
	const entry = findInstalled(registry, idOrAlias);
	const { config } = registry;
	return isolated
		? await inRunner(entry, runnerSettings(config), config.hangTimeoutSeconds * 1000)
		: await inProcess(entry, runnerSettings(config));
}

async function inProcess(entry: ModelEntry, settings: RunnerSettings): Promise<OpenModel> {
	const model = await loadModel(entry, settings);
	return {
		transcriber: {
			info: model.parts.info,
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

async function inRunner(
	entry: ModelEntry,
	settings: RunnerSettings,
	hangTimeoutMs: number,
): Promise<OpenModel> {
	const runner = new Runner({
		entry,
		settings,
		script: runnerScript,
		env: runnerEnvironment(slotsOf(settings)),
		clock: systemClock,
		maxRssBytes: 0,
		hangTimeoutMs,
	});
	try {
		await runner.start();
	} catch (thrown) {
		await runner.close();
		throw thrown;
	}
	return { transcriber: runner, close: () => runner.close() };
}

function facade(transcriber: Transcriber, close: () => Promise<void>): EarshotTranscriber {
	const running = new AbortController();
	// Every call in flight listens, and Node would warn of a leak from the eleventh on.
	setMaxListeners(0, running.signal);
	let closing: Promise<void> | undefined;

	async function* events(source: Source, options: RequestOptions, { signal }: CallOptions) {
		if (closing) throw new EarshotError('closed', 'the transcriber is closed');
		const full = fullOptions(options, transcriber.info);
		const either = signal ? AbortSignal.any([signal, running.signal]) : running.signal;
		yield* transcriber.transcribe(await readable(source), full, either);
	}

	const whole: EarshotTranscriber = {
		info: transcriber.info,
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

/** Throws `audio_unsupported` naming `source` for a path that cannot be read, rather than blaming the audio. */
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

/** Fills in defaults and checks the options against the model's capabilities. */
export function fullOptions(options: RequestOptions, info: ModelInfo): TranscribeOptions {
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
		info,
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
