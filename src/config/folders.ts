/** The folders that Earshot writes to. */

import { homedir } from 'node:os';
import path from 'node:path';

/**
 * The user's home folder. A user without one, as containers run them, gets one that does not exist: there is nothing to
 * read in it, and whoever writes is told where. Never a place that other users can write to.
 */
export function homeFolder(find: () => string = homedir): string {
	try {
		const found = find();
		if (path.isAbsolute(found)) return found;
	} catch {
		// Neither HOME nor an entry in the list of users.
	}
	return path.resolve('/nonexistent');
}

export interface Folders {
	/** Models. */
	readonly data: string;
	/** models.yaml. */
	readonly config: string;
	/** Reused by later runs; safe to delete at any time. */
	readonly cache: string;
	/** What running servers leave for commands of the same user. */
	readonly state: string;
}

/** Earshot's own folders: as the XDG variables say, else in the platform's usual places. */
export function ownFolders(
	platform: string = process.platform,
	env: NodeJS.ProcessEnv = process.env,
	home: string = homeFolder(),
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
			state: join(folder('XDG_STATE_HOME', local), 'earshot', 'state'),
		};
	}
	return {
		data: join(folder('XDG_DATA_HOME', home, '.local', 'share'), 'earshot'),
		config: join(folder('XDG_CONFIG_HOME', home, '.config'), 'earshot'),
		cache: join(folder('XDG_CACHE_HOME', home, '.cache'), 'earshot'),
		state: join(folder('XDG_STATE_HOME', home, '.local', 'state'), 'earshot'),
	};
}

export const cacheFolder = (): string => ownFolders().cache;

/** What people's voices are like: only of those who were enrolled. */
export const voicesFolder = (): string => path.join(ownFolders().state, 'voices');

/** Webhook endpoints with their secrets, and what is still to be delivered. */
export const webhooksFolder = (): string => path.join(ownFolders().state, 'webhooks');

export const stateFolder = (): string => ownFolders().state;
