/** What a pull is given, and what it reports. */

import type { Disk } from '../../disk/disk.js';
import type { Manifest, Store } from '../store/store.js';
import type { Tuning } from './download.js';
import type { NetworkSettings } from './network.js';

export interface PullProgress {
	readonly state: 'waiting' | 'downloading' | 'unpacking' | 'converting' | 'done';
	/** What is arriving now. */
	readonly file: string;
	readonly received: number;
	/** Of all files; null while it is not known. */
	readonly total: number | null;
	/** Why a source was left for the next; stays from then on. */
	readonly warning?: string;
	/** With `done`. */
	readonly manifest?: Manifest;
}

export interface PullDeps {
	readonly store: Store;
	readonly settings: NetworkSettings;
	readonly signal: AbortSignal;
	/** Take what comes for files that came otherwise the first time. */
	readonly repin?: boolean;
	/** For tests. */
	readonly disk?: Disk;
	readonly tuning?: Partial<Tuning>;
	readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>;
}

export type Report = (progress: PullProgress, now?: boolean) => void;
