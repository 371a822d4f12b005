/** The folders that Earshot writes to. */

import { homedir } from 'node:os';
import path from 'node:path';

/**
 * The user's home folder. A user without one, as in some containers, gets a path that does not exist: nothing can be
 * read from it, and errors of writing name it. It is never a folder that other users can write to.
 */
export function homeFolder(find: () => string = homedir): string {
	try {
		const found = find();
		if (path.isAbsolute(found)) return found;
	} catch {
		// There is neither HOME nor an entry in the system's list of users.
	}
	return path.resolve('/nonexistent');
}

export interface Folders {
	/** Models. */
	readonly data: string;
	/** models.yaml. */
	readonly config: string;
	/** Files that later runs reuse; safe to delete at any time. */
	readonly cache: string;
	/** Files of running servers for commands of the same user, enrolled voices and webhooks. */
	readonly state: string;
}

/** Earshot's own folders: from the XDG variables, else the platform's usual places. */
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

/** The voice embeddings of enrolled people. */
export const voicesFolder = (): string => path.join(ownFolders().state, 'voices');

/** Webhook endpoints with their secrets, and pending deliveries. */
export const webhooksFolder = (): string => path.join(ownFolders().state, 'webhooks');

export const stateFolder = (): string => ownFolders().state;
