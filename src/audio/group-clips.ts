/** The clips of a group file, as a source of clips for the pipeline. */

import type { Clip } from '../core/speech/clip.js';
import type { Recording } from '../core/speech/recording.js';
import type { ClipSource } from './channel-chunker.js';
import { ClipFile } from './clip-file.js';

/** Returns the clips that a Chunker produced when the file was written, one by one. */
export class GroupClips implements ClipSource {
	readonly #path: string;
	#file: ClipFile | undefined;
	#opening: Promise<ClipFile> | undefined;
	#blocks = 0;
	#ended = false;
	#closing: Promise<void> | undefined;

	constructor(recording: Recording) {
		this.#path = 'path' in recording ? recording.path : '';
	}

	get blocks(): number {
		return this.#blocks;
	}

	get ended(): boolean {
		return this.#ended;
	}

	get duration(): number | null {
		return this.#file?.group.end ?? null;
	}

	/** Where the group ends in its recording, seconds; 0 before the file is open. */
	get decodedSeconds(): number {
		return this.#file?.group.end ?? 0;
	}

	/** Always false: the process that cut the recording reports truncation. */
	get truncated(): boolean {
		return false;
	}

	async next(): Promise<Clip[]> {
		this.#opening ??= ClipFile.open(this.#path);
		this.#file = await this.#opening;
		const clip = await this.#file.next();
		this.#blocks++;
		this.#ended = !this.#file.hasMore;
		return clip ? [clip] : [];
	}

	close(): Promise<void> {
		this.#closing ??= (async () => await (await this.#opening?.catch(() => undefined))?.close())();
		return this.#closing;
	}
}
