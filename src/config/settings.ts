/**
 * Every setting of Earshot, in one table. From it come the flags, the EARSHOT_* variables, the keys of
 * models.yaml, `--help` and the README's table. Flags win over the environment, that over the file, that
 * over the default.
 */

import { availableParallelism, totalmem } from 'node:os';
import path from 'node:path';
import { type LogLevel, logLevels } from '../log.js';
import { ownFolders } from './folders.js';
import { httpUrl, keepAlive, list, oneOf, truth, wholeNumber, word } from './values.js';

export interface Config {
	readonly host: string;
	readonly port: number;
	readonly numThreads: number;
	readonly lanes: number;
	readonly modelDir: string;
	readonly config: string;
	/** '' = the file's `default_model`, else the first model of the file, else the demo. */
	readonly defaultModel: string;
	readonly apiKeys: readonly string[];
	/** Ids of models that are loaded at the start; none = the default model, `none` = none at all. */
	readonly preload: readonly string[];
	/** How long a model stays in memory without work; Infinity = for ever, 0 = not at all. */
	readonly keepAliveMs: number;
	/** Memory that all models together may take; 0 = no bound. */
	readonly memoryBudgetMb: number;
	/** Memory that the process of one model may take before another one takes its place; 0 = a bound of its own. */
	readonly maxHostMemoryMb: number;
	readonly maxUploadMb: number;
	readonly maxAudioSeconds: number;
	readonly maxUploadsMb: number;
	readonly maxQueueSeconds: number;
	/** 0 = as long as it takes. */
	readonly maxRequestSeconds: number;
	readonly allowedHosts: readonly string[];
	readonly allowedOrigins: readonly string[];
	/** '' = the vendored or installed package. */
	readonly sherpaDir: string;
	/** '' = the bundled Silero. */
	readonly vadModel: string;
	readonly gpu: boolean;
	readonly gpuDevice: number;
	/** What encodes for Whisper models. */
	readonly encoder: EncoderName;
	/** How whisper.cpp's decoder keeps its weights. */
	readonly decoderWeights: DecoderWeights;
	/** How much of its window Whisper's encoder hears. */
	readonly audioContext: AudioContext;
	readonly logLevel: LogLevel;
	/** Whether a configured model is fetched when it is first asked for. */
	readonly autoPull: boolean;
	/** '' = models come from where they are published. */
	readonly mirror: string;
	/** '' = the built-in catalog alone. */
	readonly catalog: string;
}

export const audioContexts = ['auto', 'full'] as const;
export type AudioContext = (typeof audioContexts)[number];

export const encoderNames = ['auto', 'int16', 'int8', 'onnx', 'onnx-int8', 'ggml'] as const;
export type EncoderName = (typeof encoderNames)[number];

export const decoderWeights = ['as-is', 'q8_0'] as const;
export type DecoderWeights = (typeof decoderWeights)[number];

export type Value = string | number | boolean | readonly string[];

export interface Setting<T extends Value = Value> {
	/** `--flag VALUE`; a boolean takes no value. */
	readonly flag: string;
	readonly valueName: string;
	readonly help: string;
	readonly default: T;
	/** Shown in --help where the default depends on the machine. */
	readonly defaultText?: string;
	/** Throws a sentence of what was expected. */
	readonly parse: (text: string) => T;
	/** `--flag` alone says yes. */
	readonly isSwitch?: boolean;
	/** Not a key of the file: it says where the file is. */
	readonly notInFile?: boolean;
}

const cores = availableParallelism();

/** What this process and its children may use: a container's bound where there is one. */
function machineBytes(): number {
	const bound = process.constrainedMemory();
	return bound > 0 ? Math.min(bound, totalmem()) : totalmem();
}

export const settings = {
	host: { flag: 'host', valueName: 'HOST', help: 'address to listen on', default: '127.0.0.1', parse: word },
	port: {
		flag: 'port',
		valueName: 'PORT',
		help: 'port to listen on; 0 = any free one',
		default: 8080,
		parse: wholeNumber(0, 65_535),
	},
	numThreads: {
		flag: 'num-threads',
		valueName: 'N',
		help: 'threads that recognition may use',
		default: cores,
		defaultText: 'all cores',
		parse: wholeNumber(1, 1024),
	},
	lanes: {
		flag: 'lanes',
		valueName: 'N',
		help: 'clips recognised at once by each model; 0 = one per thread',
		default: 0,
		parse: wholeNumber(0, 1024),
	},
	modelDir: {
		flag: 'model-dir',
		valueName: 'DIR',
		help: 'folder of the models',
		default: path.join(ownFolders().data, 'models'),
		defaultText: '~/.local/share/earshot/models; on Windows %LOCALAPPDATA%\\earshot\\models',
		parse: (text) => path.resolve(text),
	},
	config: {
		flag: 'config',
		valueName: 'FILE',
		help: 'the models.yaml that says what this machine serves',
		default: path.join(ownFolders().config, 'models.yaml'),
		defaultText: '~/.config/earshot/models.yaml; on Windows %APPDATA%\\earshot\\models.yaml',
		parse: (text) => path.resolve(text),
		notInFile: true,
	},
	defaultModel: {
		flag: 'default-model',
		valueName: 'ID',
		help: 'model for requests that name none',
		default: '',
		defaultText: 'the first of models.yaml, else demo-digits',
		parse: word,
	},
	apiKeys: {
		flag: 'api-keys',
		valueName: 'KEYS',
		help: 'comma-separated keys, one of which every request must bear',
		default: [],
		defaultText: 'none: no key asked',
		parse: list,
	},
	preload: {
		flag: 'preload',
		valueName: 'IDS',
		help: 'comma-separated models to load at the start; none = none',
		default: [],
		defaultText: 'the default model',
		parse: list,
	},
	keepAliveMs: {
		flag: 'keep-alive',
		valueName: 'TIME',
		help: 'how long a model stays in memory without work: seconds, or as in 10m; 0 = not at all, -1 = for ever',
		default: 300_000,
		defaultText: '5m',
		parse: keepAlive,
	},
	memoryBudgetMb: {
		flag: 'memory-budget-mb',
		valueName: 'MB',
		help: 'memory that all loaded models together may take, in MiB; 0 = no bound',
		default: Math.floor((0.7 * machineBytes()) / 2 ** 20),
		defaultText: "70 % of the machine's, or of the container's",
		parse: wholeNumber(0, 2 ** 30),
	},
	maxHostMemoryMb: {
		flag: 'max-host-memory-mb',
		valueName: 'MB',
		help: "memory at which a model's process is replaced by a fresh one, in MiB, without losing a request",
		default: 0,
		defaultText: 'twice what it took when loaded, and 1024',
		parse: wholeNumber(0, 2 ** 30),
	},
	maxUploadMb: {
		flag: 'max-upload-mb',
		valueName: 'MB',
		help: 'largest upload accepted, in MiB',
		default: 1024,
		parse: wholeNumber(1, 1_048_576),
	},
	maxAudioSeconds: {
		flag: 'max-audio-seconds',
		valueName: 'S',
		help: 'longest recording accepted, in seconds',
		default: 14_400,
		parse: wholeNumber(1, 604_800),
	},
	maxUploadsMb: {
		flag: 'max-uploads-mb',
		valueName: 'MB',
		help: 'uploads being worked on, all together in MiB; over it 429, but never for one alone',
		default: 2048,
		parse: wholeNumber(1, 1_048_576),
	},
	maxQueueSeconds: {
		flag: 'max-queue-seconds',
		valueName: 'S',
		help: 'audio that a model may have to hear before a recording, in seconds; over it 429',
		default: 3600,
		parse: wholeNumber(1, 604_800),
	},
	maxRequestSeconds: {
		flag: 'max-request-seconds',
		valueName: 'S',
		help: 'longest that a request to transcribe may take, in seconds; over it 504; 0 = no limit',
		default: 0,
		parse: wholeNumber(0, 604_800),
	},
	allowedHosts: {
		flag: 'allowed-hosts',
		valueName: 'NAMES',
		help: 'further names that clients may reach the server by',
		default: [],
		defaultText: 'loopback names and the address listened on',
		parse: list,
	},
	allowedOrigins: {
		flag: 'allowed-origins',
		valueName: 'ORIGINS',
		help: 'web origins whose pages may call the server; * = any',
		default: [],
		defaultText: 'none but loopback',
		parse: list,
	},
	sherpaDir: {
		flag: 'sherpa-dir',
		valueName: 'DIR',
		help: 'folder of a sherpa-onnx build of your own (1.13.8)',
		default: '',
		defaultText: 'the one that comes with Earshot',
		parse: (text) => path.resolve(text),
	},
	vadModel: {
		flag: 'vad-model',
		valueName: 'FILE',
		help: 'ONNX file that finds speech, in the shape of Silero VAD',
		default: '',
		defaultText: 'Silero v6, bundled',
		parse: (text) => path.resolve(text),
	},
	gpu: {
		flag: 'gpu',
		valueName: 'BOOL',
		help: 'use a GPU where the build has one',
		default: true,
		parse: truth,
	},
	gpuDevice: { flag: 'gpu-device', valueName: 'N', help: 'which GPU', default: 0, parse: wholeNumber(0, 64) },
	encoder: {
		flag: 'encoder',
		valueName: 'NAME',
		help: `what encodes for Whisper models: ${encoderNames.join(', ')}`,
		default: 'auto',
		defaultText: 'auto: int16 on a processor with AVX-512 VNNI, onnx on others, ggml on a GPU',
		parse: oneOf(encoderNames),
	},
	decoderWeights: {
		flag: 'decoder-weights',
		valueName: 'TYPE',
		help: "a Whisper decoder's weights: as-is = those of the file; q8_0 = half of f16's memory, and faster, on a processor",
		default: 'as-is',
		parse: oneOf(decoderWeights),
	},
	audioContext: {
		flag: 'audio-context',
		valueName: 'NAME',
		help: "what Whisper's encoder hears: auto = the clip and some silence; full = 30 s, always",
		default: 'auto',
		parse: oneOf(audioContexts),
	},
	logLevel: {
		flag: 'log-level',
		valueName: 'LEVEL',
		help: `one of ${logLevels.join(', ')}`,
		default: 'info',
		parse: oneOf(logLevels),
	},
	autoPull: {
		flag: 'auto-pull',
		valueName: 'BOOL',
		help: 'fetch a model of models.yaml when it is first asked for',
		default: false,
		defaultText: 'no: nothing is fetched unasked',
		parse: truth,
		isSwitch: true,
	},
	mirror: {
		flag: 'mirror',
		valueName: 'URL',
		help: 'fetch https://HOST/PATH from URL/HOST/PATH',
		default: '',
		defaultText: 'none: models come from where they are published',
		parse: httpUrl,
	},
	catalog: {
		flag: 'catalog',
		valueName: 'FILE',
		help: 'JSON file of further models that can be pulled',
		default: '',
		defaultText: 'the built-in catalog alone',
		parse: (text) => path.resolve(text),
	},
} as const satisfies { [K in keyof Config]: Setting<Config[K]> };

export type SettingName = keyof typeof settings;
export const settingNames = Object.keys(settings) as readonly SettingName[];

/** `numThreads` → `EARSHOT_NUM_THREADS`. */
export function variableOf(name: SettingName): string {
	return `EARSHOT_${fileKeyOf(name).toUpperCase()}`;
}

/** `numThreads` → `num_threads`, the key in models.yaml. */
export function fileKeyOf(name: SettingName): string {
	return settings[name].flag.replaceAll('-', '_');
}
