/** A recording becomes clips, a block at a time: decode → find speech → split. */

import type { Clip } from '../engines/engine.js';
import type { ChunkingOptions, Recording } from '../transcriber/transcriber.js';
import { sampleRate } from './audio.js';
import type { AudioReader, OpenAudio } from './decode.js';
import { SampleWindow } from './sample-window.js';
import { type Span, Splitter } from './split.js';
import type { SearchSpeech, SpeechSearch } from './voice-activity.js';

export interface CutterParts {
	readonly open: OpenAudio;
	readonly search: SearchSpeech;
	readonly limits: { readonly maxClipSeconds: number; readonly mergeGapSeconds: number };
}

/**
 * Decoded and searched in one go. Most recordings are shorter and take one; of longer ones the first clip is
 * ready early, and what is decoded ahead stays within a block of what was asked for.
 */
export const blockSeconds = 10;

/** Cuts a recording the same way every time, whatever happens between the calls. */
export class Cutter {
	readonly #parts: CutterParts;
	readonly #chunking: ChunkingOptions;
	readonly #reader: AudioReader;
	readonly #window = new SampleWindow(sampleRate);
	readonly #splitter: Splitter;
	#search: SpeechSearch | undefined;
	#declared: number | null = null;
	#blocks = 0;
	#ended = false;
	#closing: Promise<void> | undefined;

	constructor(parts: CutterParts, recording: Recording, chunking: ChunkingOptions) {
		this.#parts = parts;
		this.#chunking = chunking;
		this.#reader = parts.open(recording);
		this.#splitter = new Splitter(
			{
				maxClipSeconds: parts.limits.maxClipSeconds,
				mergeGapSeconds: parts.limits.mergeGapSeconds,
				paddingSeconds: chunking.prefixPaddingMs / 1000,
			},
			(frame) => this.#window.levelOf(frame),
		);
	}

	/** Blocks that are through. */
	get blocks(): number {
		return this.#blocks;
	}

	/** The recording was decoded to its end, and every clip of it given out. */
	get ended(): boolean {
		return this.#ended;
	}

	/** Seconds: of the whole recording once it has ended, else as its container declares, or null where it does not. */
	get duration(): number | null {
		return this.#ended ? this.decodedSeconds : this.#declared;
	}

	get decodedSeconds(): number {
		return this.#window.end / sampleRate;
	}

	/** Decoded and not given out, in seconds. */
	get heldSeconds(): number {
		return this.#window.length / sampleRate;
	}

	/** Decodes the next block and gives the clips that are final by it, maybe none. Throws EarshotError. */
	async next(): Promise<Clip[]> {
		this.#search ??= await this.#open();
		const room = this.#window.room(blockSeconds * sampleRate);
		const count = await this.#reader.read(room);
		this.#window.grow(count);
		const last = count < room.length;
		const heard = await this.#search.hear(room.subarray(0, count), last);
		const ranges = this.#splitter.hear(heard);
		if (last) ranges.push(...this.#splitter.finish(this.decodedSeconds));
		const clips = ranges.map((range) => this.#clipOf(range));
		this.#window.forget(Math.floor(this.#splitter.needed * sampleRate));
		this.#blocks++;
		this.#ended = last;
		return clips;
	}

	/** Cancels what runs. Safe to call twice. */
	close(): Promise<void> {
		this.#closing ??= Promise.all([this.#reader.close(), this.#search?.close()]).then(() => {});
		return this.#closing;
	}

	async #open(): Promise<SpeechSearch> {
		this.#declared = await this.#reader.open();
		const search = await this.#parts.search(this.#chunking);
		if (this.#closing) await search.close();
		return search;
	}

	#clipOf({ start, end }: Span): Clip {
		const samples = this.#window.slice(Math.floor(start * sampleRate), Math.ceil(end * sampleRate));
		return { samples, start, end };
	}
}
