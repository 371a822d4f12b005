/**
 * Every setting of Earshot, in one table. The flags, the EARSHOT_* variables, the keys of models.yaml, `--help` and
 * docs/reference/settings.md are made from it. Flags take precedence over the environment, the environment over the
 * file, and the file over the defaults.
 */

import path from 'node:path';
import { logLevels } from '../log.js';
import { allowedHosts, hostSetting } from './addresses.js';
import { clusterSettings } from './cluster-settings.js';
import { ownFolders } from './folders.js';
import { jobSettings } from './job-settings.js';
import { liveSettings } from './live-settings.js';
import { machineBytes, machineThreads } from './machine.js';
import type { Setting } from './setting.js';
import { flag, httpUrl, keepAlive, keys, list, oneOf, wholeNumber, word } from './values.js';
import { whisperSettings } from './whisper-settings.js';

export const settings = {
	host: {
		scope: 'server',
		flag: 'host',
		valueName: 'HOST',
		help: 'address to listen on, or unix:/path of a socket',
		default: '127.0.0.1',
		parse: (text) => hostSetting(text),
	},
	port: {
		scope: 'server',
		flag: 'port',
		valueName: 'PORT',
		help: 'port to listen on; 0 = any free one',
		default: 8080,
		parse: wholeNumber(0, 65_535),
	},
	numThreads: {
		scope: 'model',
		flag: 'num-threads',
		valueName: 'N',
		help: 'threads used for recognition',
		default: machineThreads,
		defaultText: "all cores, or the container's CPU quota",
		parse: wholeNumber(1, 1024),
	},
	parallel: {
		scope: 'model',
		flag: 'parallel',
		valueName: 'N',
		help: 'clips transcribed at once by each model; 0 = one per thread',
		default: 0,
		parse: wholeNumber(0, 1024),
	},
	modelDir: {
		scope: 'store',
		flag: 'model-dir',
		valueName: 'DIR',
		help: 'folder that holds the models',
		default: path.join(ownFolders().data, 'models'),
		defaultText: '~/.local/share/earshot/models; on Windows %LOCALAPPDATA%\\earshot\\models',
		parse: (text) => path.resolve(text),
	},
	config: {
		scope: 'store',
		flag: 'config',
		valueName: 'FILE',
		help: 'path of models.yaml, which lists the models to serve',
		default: path.join(ownFolders().config, 'models.yaml'),
		defaultText: '~/.config/earshot/models.yaml; on Windows %APPDATA%\\earshot\\models.yaml',
		parse: (text) => path.resolve(text),
		notInFile: true,
	},
	defaultModel: {
		scope: 'server',
		flag: 'default-model',
		valueName: 'ID',
		help: 'model used when a request names none',
		default: '',
		defaultText: 'the first in models.yaml, else demo-digits',
		parse: word,
	},
	apiKeys: {
		scope: 'server',
		flag: 'api-keys',
		valueName: 'KEYS',
		help: 'comma-separated API keys; every request must carry one of them',
		default: [],
		defaultText: 'none: no key required',
		parse: keys,
		refusesEmpty: true,
		isSecret: true,
	},
	preload: {
		scope: 'server',
		flag: 'preload',
		valueName: 'IDS',
		help: 'comma-separated models to load at startup; none = load none',
		default: [],
		defaultText: 'the default model',
		parse: list,
	},
	keepAliveMs: {
		scope: 'server',
		flag: 'keep-alive',
		valueName: 'TIME',
		help: 'how long an idle model stays in memory: seconds, or a duration such as 10m; 0 = unload at once, -1 = never unload',
		default: 300_000,
		defaultText: '5m',
		parse: keepAlive,
	},
	memoryBudgetMb: {
		scope: 'server',
		flag: 'memory-budget-mb',
		valueName: 'MB',
		help: 'maximum memory of all loaded models together, in MiB; 0 = no limit',
		default: Math.floor((0.7 * machineBytes()) / 2 ** 20),
		defaultText: "70 % of the machine's memory, or of the container's limit",
		parse: wholeNumber(0, 2 ** 30),
	},
	maxRunnerMemoryMb: {
		scope: 'server',
		flag: 'max-runner-memory-mb',
		valueName: 'MB',
		help: "memory at which a model's process is restarted, in MiB; no request is lost",
		default: 0,
		defaultText: 'twice its memory after loading, plus 1024',
		parse: wholeNumber(0, 2 ** 30),
	},
	hangTimeoutSeconds: {
		scope: 'server',
		flag: 'hang-timeout-seconds',
		valueName: 'S',
		help: "silence after which a working model's process is replaced, in seconds; 0 = never",
		default: 30,
		parse: wholeNumber(0, 86_400),
	},
	maxUploadMb: {
		scope: 'server',
		flag: 'max-upload-mb',
		valueName: 'MB',
		help: 'largest upload accepted, in MiB',
		default: 1024,
		parse: wholeNumber(1, 1_048_576),
	},
	maxAudioSeconds: {
		scope: 'model',
		flag: 'max-audio-seconds',
		valueName: 'S',
		help: 'longest recording accepted, in seconds',
		default: 14_400,
		parse: wholeNumber(1, 604_800),
	},
	maxUploadsMb: {
		scope: 'server',
		flag: 'max-uploads-mb',
		valueName: 'MB',
		help: 'maximum size of all uploads in progress together, in MiB; above it 429, except for a single upload',
		default: 2048,
		parse: wholeNumber(1, 1_048_576),
	},
	minUploadBytesPerSecond: {
		scope: 'server',
		flag: 'min-upload-bytes-per-second',
		valueName: 'BYTES',
		help: 'minimum rate of an upload over 30 s, in bytes per second; below it 408; 0 = no limit',
		default: 500,
		parse: wholeNumber(0, 2 ** 30),
	},
	maxQueueSeconds: {
		scope: 'server',
		flag: 'max-queue-seconds',
		valueName: 'S',
		help: 'maximum queued audio ahead of a new recording, in seconds; above it 429',
		default: 3600,
		parse: wholeNumber(1, 604_800),
	},
	maxRequestSeconds: {
		scope: 'server',
		flag: 'max-request-seconds',
		valueName: 'S',
		help: 'time limit of a transcription request, in seconds; above it 504; 0 = no limit',
		default: 0,
		parse: wholeNumber(0, 604_800),
	},
	...liveSettings,
	maxKnownSpeakers: {
		scope: 'server',
		flag: 'max-known-speakers',
		valueName: 'N',
		help: 'references of known speakers that a request may have',
		default: 4,
		parse: wholeNumber(0, 100),
	},
	...jobSettings,
	allowedHosts: {
		scope: 'server',
		flag: 'allowed-hosts',
		valueName: 'NAMES',
		help: 'additional host names that requests may use',
		default: [],
		defaultText:
			'loopback names and the listening address only; where that is not loopback, IP addresses and names of this machine too',
		parse: list,
	},
	allowedOrigins: {
		scope: 'server',
		flag: 'allowed-origins',
		valueName: 'ORIGINS',
		help: 'web origins whose pages may call the server; * = any',
		default: [],
		defaultText: 'loopback origins only',
		parse: list,
	},
	webhookAllow: {
		scope: 'server',
		flag: 'webhook-allow',
		valueName: 'HOSTS',
		help: 'comma-separated hosts, or HOST:PORT, that webhooks may reach though they are private or have no https',
		default: [],
		defaultText: 'none: webhooks reach public hosts only, over https',
		parse: allowedHosts,
	},
	allowFetch: {
		scope: 'server',
		flag: 'allow-fetch',
		valueName: 'HOSTS',
		help: 'comma-separated hosts, or HOST:PORT, from which jobs may have their recordings fetched (`url`)',
		default: [],
		defaultText: 'none: recordings are sent with the request',
		parse: allowedHosts,
	},
	tlsCert: {
		scope: 'server',
		flag: 'tls-cert',
		valueName: 'FILE',
		help: "PEM file with the server's certificate, and those that lead to its authority's; then it speaks TLS alone",
		default: '',
		defaultText: 'none: no TLS',
		parse: (text) => path.resolve(text),
	},
	tlsKey: {
		scope: 'server',
		flag: 'tls-key',
		valueName: 'FILE',
		help: 'PEM file with the private key of that certificate',
		default: '',
		defaultText: 'none: no TLS',
		parse: (text) => path.resolve(text),
	},
	sherpaDir: {
		scope: 'model',
		flag: 'sherpa-dir',
		valueName: 'DIR',
		help: 'folder of your own sherpa-onnx build (1.13.8)',
		default: '',
		defaultText: 'the bundled one',
		parse: (text) => path.resolve(text),
	},
	vadModel: {
		scope: 'model',
		flag: 'vad-model',
		valueName: 'FILE',
		help: 'ONNX file for voice activity detection, with the inputs and outputs of Silero VAD',
		default: '',
		defaultText: 'Silero v6, bundled',
		parse: (text) => path.resolve(text),
	},
	gpu: {
		scope: 'model',
		flag: 'gpu',
		valueName: 'BOOL',
		help: 'use a GPU if the build supports one',
		default: true,
		parse: flag,
	},
	gpuDevice: {
		scope: 'model',
		flag: 'gpu-device',
		valueName: 'N',
		help: 'index of the GPU to use',
		default: 0,
		parse: wholeNumber(0, 64),
	},
	...whisperSettings,
	logLevel: {
		scope: 'server',
		flag: 'log-level',
		valueName: 'LEVEL',
		help: `one of ${logLevels.join(', ')}`,
		default: 'info',
		parse: oneOf(logLevels),
	},
	autoPull: {
		scope: 'server',
		flag: 'auto-pull',
		valueName: 'BOOL',
		help: 'download a model of models.yaml when it is first requested',
		default: false,
		defaultText: 'no: nothing is downloaded unasked',
		parse: flag,
		isSwitch: true,
	},
	mirror: {
		scope: 'fetch',
		flag: 'mirror',
		valueName: 'URL',
		help: 'download https://HOST/PATH from URL/HOST/PATH',
		default: '',
		defaultText: 'none: models are downloaded from where they are published',
		parse: httpUrl,
	},
	catalog: {
		scope: 'store',
		flag: 'catalog',
		valueName: 'FILE',
		help: 'YAML or JSON file of further models that can be pulled',
		default: '',
		defaultText: 'the built-in catalog only',
		parse: (text) => path.resolve(text),
	},
	...clusterSettings,
} as const satisfies Readonly<Record<string, Setting>>;

export type SettingName = keyof typeof settings;

/** Settings as they are written: the text of a flag, a variable or a file. */
export type SettingTexts = Partial<Record<SettingName, string>>;

/** The value of every setting. */
export type Config = { readonly [K in SettingName]: ReturnType<(typeof settings)[K]['parse']> };

export const settingNames = Object.keys(settings) as readonly SettingName[];

/** `numThreads` → `EARSHOT_NUM_THREADS`. */
export function variableOf(name: SettingName): string {
	return `EARSHOT_${fileKeyOf(name).toUpperCase()}`;
}

/** `numThreads` → `num_threads`, the key in models.yaml. */
export function fileKeyOf(name: SettingName): string {
	return settings[name].flag.replaceAll('-', '_');
}
