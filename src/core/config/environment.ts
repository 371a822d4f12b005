/** Environment variables of child processes and downloads. Only this file, resolve.ts and folders.ts read `process.env`. */

import { devNull } from 'node:os';
import path from 'node:path';
import { homeFolder } from './folders.js';

const withheld: ReadonlySet<string> = new Set([
	'EARSHOT_API_KEYS',
	'EARSHOT_QUEUE',
	'NODE_OPTIONS',
	'HF_TOKEN',
	'AWS_SECRET_ACCESS_KEY',
	'AWS_SESSION_TOKEN',
]);

/** The environment of a child process: this process's, without API keys, tokens and NODE_OPTIONS. */
export function childEnvironment(env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
	return Object.fromEntries(Object.entries(env).filter(([name]) => !withheld.has(name)));
}

/** The environment of `earshot doctor` as a child process: it keeps the secrets of the cluster's stores, which doctor
 * checks, and no others. */
export function doctorEnvironment(env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
	const shared = ['EARSHOT_QUEUE', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN'];
	const kept = shared.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]] as const]));
	return { ...childEnvironment(env), ...Object.fromEntries(kept) };
}

/**
 * The environment of a runner: that of a child process, with a libuv thread pool large enough that audio decoding and
 * voice activity detection never wait behind recognition: `slots` and the priority slot may each run four batches of
 * one clip.
 * MALLOC_ARENA_MAX: glibc would give each of those threads its own heap, which grows to the largest clip it processed.
 */
export function runnerEnvironment(slots: number, env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
	return {
		MALLOC_ARENA_MAX: '2',
		...childEnvironment(env),
		UV_THREADPOOL_SIZE: String(Math.min(1024, 4 * (slots + 1) + 4)),
	};
}

/** The widest kernels that Earshot's own code may use; undefined = any that the processor has. */
export function requestedKernels(env: NodeJS.ProcessEnv = process.env): string | undefined {
	// An empty variable counts as unset.
	return env.EARSHOT_KERNELS || undefined;
}

/** The folder in which the user typed `npm run …` of this package; undefined = npm has not changed it. `root`: this
 * package's folder. npm runs scripts in the package, where the user's relative paths mean nothing. */
export function folderOfCaller(root: string, env: NodeJS.ProcessEnv = process.env): string | undefined {
	const { npm_package_json: manifest, INIT_CWD: folder } = env;
	const isOwnScript = manifest !== undefined && path.dirname(manifest) === path.resolve(root);
	return isOwnScript && folder !== undefined && folder !== '' ? folder : undefined;
}

/** Download settings, from the variables that other programs (huggingface_hub, curl, pip) read too. */
export interface NetworkEnvironment {
	/** URL of the Hugging Face hub or of a mirror of it; without a trailing slash. */
	readonly hubEndpoint: string;
	/** '' = none. Only ever sent to the hub. */
	readonly hubToken: string;
	/** Folder of the cache that other programs share for downloads from the hub. */
	readonly hubCache: string;
	readonly httpProxy: string;
	readonly httpsProxy: string;
	readonly noProxy: string;
	readonly pip: PipEnvironment;
}

/** Settings of the object storage, from the variables that AWS's own programs read. */
export interface S3Environment {
	/** URL without a trailing slash; '' = Amazon S3 of the region. */
	readonly endpoint: string;
	readonly region: string;
	readonly accessKeyId: string;
	readonly secretAccessKey: string;
	/** '' = none. */
	readonly sessionToken: string;
}

export function s3Environment(env: NodeJS.ProcessEnv = process.env): S3Environment {
	return {
		endpoint: (env.AWS_ENDPOINT_URL_S3 || env.AWS_ENDPOINT_URL || '').replace(/\/+$/, ''),
		region: env.AWS_REGION || env.AWS_DEFAULT_REGION || 'us-east-1',
		accessKeyId: env.AWS_ACCESS_KEY_ID ?? '',
		secretAccessKey: env.AWS_SECRET_ACCESS_KEY ?? '',
		sessionToken: env.AWS_SESSION_TOKEN ?? '',
	};
}

/** The package index that pip is configured to use. */
export interface PipEnvironment {
	/** '' = as the configuration files say. */
	readonly indexUrl: string;
	/** File of trusted certificates; '' = as the configuration files say. */
	readonly cert: string;
	/** Paths, which need not exist; later files take precedence. */
	readonly configFiles: readonly string[];
}

export function networkEnvironment(env: NodeJS.ProcessEnv = process.env): NetworkEnvironment {
	const either = (name: string) => env[name.toLowerCase()] ?? env[name.toUpperCase()] ?? '';
	const hubHome =
		env.HF_HOME ?? path.join(env.XDG_CACHE_HOME ?? path.join(homeFolder(), '.cache'), 'huggingface');
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

/** In the order of "Configuration files" in pip's manual. */
function pipConfigFiles(env: NodeJS.ProcessEnv, platform: NodeJS.Platform = process.platform): string[] {
	const home = homeFolder();
	const named = env.PIP_CONFIG_FILE ?? '';
	// pip reads no configuration file at all when PIP_CONFIG_FILE is the null device.
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
