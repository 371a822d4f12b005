/**
 * Every setting of Earshot, in one table. From it come the flags, the EARSHOT_* variables, the keys of
 * models.yaml, `--help` and the README's table. Flags win over the environment, that over the file, that
 * over the default. The only reader of `process.env`.
 */

import { availableParallelism, devNull, homedir, totalmem } from 'node:os';
import path from 'node:path';
import { EarshotError } from '../errors.js';
import { type LogLevel, logLevels } from '../log.js';

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

type Value = string | number | boolean | readonly string[];

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

/** What a value should have been; its message ends a sentence. */
export class Expectation extends Error {}

function wholeNumber(low: number, high: number): (text: string) => number {
	return (text) => {
		const value = Number(text);
		if (text.trim() === '' || !Number.isInteger(value) || value < low || value > high) {
			throw new Expectation(`a whole number from ${low} to ${high}`);
		}
		return value;
	};
}

function oneOf<const T extends string>(values: readonly T[]): (text: string) => T {
	return (text) => {
		const found = values.find((value) => value === text);
		if (found === undefined) throw new Expectation(`one of ${values.join(', ')}`);
		return found;
	};
}

function truth(text: string): boolean {
	if (/^(1|true|yes|on)$/i.test(text)) return true;
	if (/^(0|false|no|off)$/i.test(text)) return false;
	throw new Expectation('true or false');
}

function httpUrl(text: string): string {
	if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text.replace(/\/+$/, '');
	throw new Expectation('an http or https URL');
}

const millisecondsOf: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** As Ollama and speaches have it: seconds or a figure with its unit, 0 = at once; `never`, or anything below 0,
 * is Infinity. Throws Expectation. */
export function keepAlive(text: string): number {
	if (text === 'never') return Infinity;
	const [, sign, figure, unit = 's'] = /^(-?)(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text.trim()) ?? [];
	const ms = Number(figure) * (millisecondsOf[unit] ?? Number.NaN);
	if (sign === '-' && ms > 0) return Infinity;
	// What a timer can count.
	if (ms <= maxTimerMs) return ms;
	throw new Expectation('seconds, or a figure with s, m or h such as `10m`; 0 = at once, -1 = never');
}

const list = (text: string): readonly string[] =>
	text
		.split(',')
		.map((item) => item.trim())
		.filter((item) => item !== '');
const word = (text: string): string => text;

/** Node's timers hold 31 bits; 24 days. */
const maxTimerMs = 2 ** 31 - 1;

const cores = availableParallelism();

/** What this process and its children may use: a container's bound where there is one. */
function machineBytes(): number {
	const bound = process.constrainedMemory();
	return bound > 0 ? Math.min(bound, totalmem()) : totalmem();
}

export interface Folders {
	/** Models. */
	readonly data: string;
	/** models.yaml. */
	readonly config: string;
	/** What other runs of Earshot may use again and anybody may delete. */
	readonly cache: string;
}

/** Where Earshot keeps its things: as the XDG variables say, else where the system has such. */
export function ownFolders(
	platform: string = process.platform,
	env: NodeJS.ProcessEnv = process.env,
	home: string = homedir(),
): Folders {
	const { isAbsolute, join } = platform === 'win32' ? path.win32 : path.posix;
	const folder = (variable: string, ...otherwise: string[]): string => {
		const set = env[variable];
		return set !== undefined && isAbsolute(set) ? set : join(...otherwise);
	};
	if (platform === 'win32') {
		const local = folder('LOCALAPPDATA', home, 'AppData', 'Local');
		return {
			data: join(folder('XDG_DATA_HOME', local), 'earshot'),
			config: join(folder('XDG_CONFIG_HOME', folder('APPDATA', home, 'AppData', 'Roaming')), 'earshot'),
			cache: join(folder('XDG_CACHE_HOME', local), 'earshot', 'cache'),
		};
	}
	return {
		data: join(folder('XDG_DATA_HOME', home, '.local', 'share'), 'earshot'),
		config: join(folder('XDG_CONFIG_HOME', home, '.config'), 'earshot'),
		cache: join(folder('XDG_CACHE_HOME', home, '.cache'), 'earshot'),
	};
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

export interface Source {
	/** Value by setting, as text. */
	readonly values: Partial<Record<SettingName, string>>;
	/** For messages: how the user would name the setting there. */
	readonly nameOf: (name: SettingName) => string;
}

/** First source that has a value wins. Throws `config_invalid` naming source and setting. Pure. */
export function resolveConfig(sources: readonly Source[]): Config {
	const resolved = Object.fromEntries(settingNames.map((name) => [name, resolve(name, sources)]));
	return Object.freeze(resolved) as unknown as Config;
}

function resolve(name: SettingName, sources: readonly Source[]): Value {
	for (const { values, nameOf } of sources) {
		const text = values[name];
		if (text === undefined) continue;
		try {
			return settings[name].parse(text);
		} catch (thrown) {
			if (!(thrown instanceof Expectation)) throw thrown;
			throw new EarshotError(
				'config_invalid',
				`Expected \`${nameOf(name)}\` to be ${thrown.message}, got \`${text}\``,
				{
					param: nameOf(name),
				},
			);
		}
	}
	return settings[name].default;
}

/** What EARSHOT_* variables say. An empty variable is as good as none. */
export function environmentSource(env: NodeJS.ProcessEnv = process.env): Source {
	const values: Partial<Record<SettingName, string>> = {};
	for (const name of settingNames) {
		const text = env[variableOf(name)];
		if (text !== undefined && text !== '') values[name] = text;
	}
	return { values, nameOf: variableOf };
}

export function flagSource(values: Partial<Record<SettingName, string>>): Source {
	return { values, nameOf: (name) => `--${settings[name].flag}` };
}

export const cacheFolder = (): string => ownFolders().cache;

/** The environment of a child process: ours, without keys and without options meant for this process. */
export function childEnvironment(env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
	const { EARSHOT_API_KEYS: _, NODE_OPTIONS: __, HF_TOKEN: ___, ...rest } = env;
	return rest;
}

/**
 * The environment of a host process: ours, without the keys, and with a libuv pool sized for the work that
 * runs there, so that decoding and voice activity never wait behind recognition on `lanes` and the express lane, each of
 * which may be at work on four batches of one clip.
 * glibc would give each of those threads a heap of its own, and each of them grows to the largest clip it has seen.
 */
export function hostEnvironment(lanes: number, env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
	return {
		MALLOC_ARENA_MAX: '2',
		...childEnvironment(env),
		UV_THREADPOOL_SIZE: String(Math.min(1024, 4 * (lanes + 1) + 4)),
	};
}

/** The widest kernels that Earshot's own code may use; undefined = any that the processor has. */
export function askedKernels(env: NodeJS.ProcessEnv = process.env): string | undefined {
	return env.EARSHOT_KERNELS;
}

/** Clips at once: as set, else one per thread. */
export function lanesOf({ lanes, numThreads }: Pick<Config, 'lanes' | 'numThreads'>): number {
	return lanes === 0 ? numThreads : lanes;
}

/** How models are fetched, as the variables say that other programs go by too. */
export interface NetworkEnvironment {
	/** The Hugging Face hub, or what stands in for it; without a slash at the end. */
	readonly hubEndpoint: string;
	/** '' = none. Never sent anywhere but to the hub. */
	readonly hubToken: string;
	/** Where other programs keep what they fetched from the hub. */
	readonly hubCache: string;
	readonly httpProxy: string;
	readonly httpsProxy: string;
	readonly noProxy: string;
	readonly pip: PipEnvironment;
}

/** Which package index pip is set to use. */
export interface PipEnvironment {
	/** '' = as its files say. */
	readonly indexUrl: string;
	/** A file of certificates to trust; '' = as its files say. */
	readonly cert: string;
	/** Those that may be there; the later ones take precedence. */
	readonly configFiles: readonly string[];
}

export function networkEnvironment(env: NodeJS.ProcessEnv = process.env): NetworkEnvironment {
	const either = (name: string) => env[name.toLowerCase()] ?? env[name.toUpperCase()] ?? '';
	const hubHome =
		env.HF_HOME ?? path.join(env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache'), 'huggingface');
	const endpoint = env.HF_ENDPOINT ?? '';
	return {
		hubEndpoint: (endpoint === '' ? 'https://huggingface.co' : endpoint).replace(/\/+$/, ''),
		hubToken: env.HF_TOKEN ?? '',
		hubCache: env.HF_HUB_CACHE ?? path.join(hubHome, 'hub'),
		httpProxy: either('http_proxy'),
		httpsProxy: either('https_proxy'),
		noProxy: either('no_proxy'),
		pip: { indexUrl: env.PIP_INDEX_URL ?? '', cert: env.PIP_CERT ?? '', configFiles: pipConfigFiles(env) },
	};
}

/** As "Configuration files" in pip's manual lists them. */
function pipConfigFiles(env: NodeJS.ProcessEnv, platform: NodeJS.Platform = process.platform): string[] {
	const home = homedir();
	const named = env.PIP_CONFIG_FILE ?? '';
	// pip takes this one for "none at all".
	if (named === devNull) return [];
	const more = named === '' ? [] : [named];
	if (platform === 'win32') {
		const roaming = env.APPDATA ?? path.join(home, 'AppData', 'Roaming');
		const shared = path.join(env.ProgramData ?? 'C:\\ProgramData', 'pip', 'pip.ini');
		return [shared, path.join(home, 'pip', 'pip.ini'), path.join(roaming, 'pip', 'pip.ini'), ...more];
	}
	const xdg = path.join(env.XDG_CONFIG_HOME ?? path.join(home, '.config'), 'pip', 'pip.conf');
	const own = path.join(home, 'Library', 'Application Support', 'pip', 'pip.conf');
	const users = platform === 'darwin' ? [xdg, own] : [xdg];
	const all =
		platform === 'darwin' ? ['/Library/Application Support/pip/pip.conf'] : ['/etc/xdg/pip/pip.conf'];
	return [...all, '/etc/pip.conf', path.join(home, '.pip', 'pip.conf'), ...users, ...more];
}
