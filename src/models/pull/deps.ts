/** The dependencies of a pull, and the progress it reports. */

import type { Disk } from '../../core/disk/disk.js';
import type { Manifest, Store } from '../store/store.js';
import type { Tuning } from './download.js';
import type { NetworkSettings } from './network.js';

export interface PullProgress {
	readonly state: 'waiting' | 'downloading' | 'unpacking' | 'converting' | 'done';
	/** The file being downloaded. */
	readonly file: string;
	readonly received: number;
	/** Bytes of all files; null while unknown. */
	readonly total: number | null;
	/** Why a source was abandoned for the next one; kept in all later reports. */
	readonly warning?: string;
	/** With `done`. */
	readonly manifest?: Manifest;
}

export interface PullDeps {
	readonly store: Store;
	readonly settings: NetworkSettings;
	readonly signal: AbortSignal;
	/** Accept files that differ from those of the first pull. */
	readonly repin?: boolean;
	/** For tests. */
	readonly disk?: Disk;
	readonly tuning?: Partial<Tuning>;
	readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>;
}

export type Report = (progress: PullProgress, now?: boolean) => void;
