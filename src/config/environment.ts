/** The environment: of child processes, and of what fetches models. With resolve.ts and folders.ts the only reader of `process.env`. */

import { devNull, homedir } from 'node:os';
import path from 'node:path';

/** The environment of a child process: ours, without keys and without options meant for this process. */
export function childEnvironment(env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
	const { EARSHOT_API_KEYS: _, NODE_OPTIONS: __, HF_TOKEN: ___, ...rest } = env;
	return rest;
}

/**
 * The environment of a runner: ours, without the keys, and with a libuv pool sized for the work that
 * runs there, so that decoding and voice activity never wait behind recognition on `slots` and the priority slot, each of
 * which may be at work on four batches of one clip.
 * glibc would give each of those threads a heap of its own, and each of them grows to the largest clip it has seen.
 */
export function runnerEnvironment(slots: number, env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
	return {
		MALLOC_ARENA_MAX: '2',
		...childEnvironment(env),
		UV_THREADPOOL_SIZE: String(Math.min(1024, 4 * (slots + 1) + 4)),
	};
}

/** The widest kernels that Earshot's own code may use; undefined = any that the processor has. */
export function askedKernels(env: NodeJS.ProcessEnv = process.env): string | undefined {
	// An empty variable is as good as none.
	return env.EARSHOT_KERNELS || undefined;
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
