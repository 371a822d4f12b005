/** A recording becomes clips, a block at a time: decode → find speech → split. */

import type { Clip } from '../speech/clip.js';
import type { ChunkingOptions } from '../speech/options.js';
import { sampleRate } from '../speech/pcm.js';
import type { Recording } from '../speech/recording.js';
import type { AudioReader, OpenAudio } from './decode.js';
import { SampleWindow } from './sample-window.js';
import { ClipSplitter, type Span } from './split.js';
import type { OpenVad, VadSession } from './vad.js';

export interface CutterParts {
	readonly open: OpenAudio;
	readonly search: OpenVad;
	readonly limits: { readonly maxClipSeconds: number; readonly mergeGapSeconds: number };
}

/**
 * Decoded and searched in one go. Most recordings are shorter and take one; of longer ones the first clip is
 * ready early, and what is decoded ahead stays within a block of what was asked for.
 */
export const blockSeconds = 10;

const blockSamples = blockSeconds * sampleRate;

/** Resamplers round, and so do headers. */
const declaredSlackSeconds = 0.1;

/** Cuts a recording the same way every time, whatever happens between the calls. */
export class Chunker {
	readonly #parts: CutterParts;
	readonly #chunking: ChunkingOptions;
	readonly #reader: AudioReader;
	readonly #window = new SampleWindow(sampleRate);
	readonly #splitter: ClipSplitter;
	#search: VadSession | undefined;
	#declared: number | null = null;
	#blocks = 0;
	#ended = false;
	#closing: Promise<void> | undefined;

	constructor(parts: CutterParts, recording: Recording, chunking: ChunkingOptions) {
		this.#parts = parts;
		this.#chunking = chunking;
		this.#reader = parts.open(recording);
		this.#splitter = new ClipSplitter(
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

	/** Decodes the next block and gives the clips that are final by it, maybe none. Throws EarshotError. */
	async next(): Promise<Clip[]> {
		this.#search ??= await this.#open();
		const block = await this.#read();
		const last = block.length < blockSamples;
		const heard = await this.#search.hear(block, last);
		const ranges = this.#splitter.hear(heard);
		if (last) ranges.push(...this.#splitter.finish(this.decodedSeconds));
		const clips = ranges.map((range) => this.#clipOf(range, last));
		if (!last) this.#window.forget(Math.floor(this.#splitter.needed * sampleRate));
		this.#blocks++;
		this.#ended = last;
		return clips;
	}

	/** Cancels what runs. Safe to call twice. */
	close(): Promise<void> {
		this.#closing ??= Promise.all([this.#reader.close(), this.#search?.close()]).then(() => {});
		return this.#closing;
	}

	async #open(): Promise<VadSession> {
		this.#declared = await this.#reader.open();
		const search = await this.#parts.search(this.#chunking);
		if (this.#closing) await search.close();
		return search;
	}

	/** The next block; shorter only at the end of the recording. */
	async #read(): Promise<Float32Array> {
		let size = this.#blocks === 0 ? this.#declaredSamples : blockSamples;
		let count = 0;
		for (let isFull = true; isFull && count < blockSamples; size = blockSamples) {
			const room = this.#window.room(size - count);
			const got = await this.#reader.read(room);
			this.#window.grow(got);
			count += got;
			isFull = got === room.length;
		}
		const { end } = this.#window;
		return this.#window.view(end - count, end);
	}

	/** Room for a recording that is as long as it declares: nothing is to be found out but that it ends there. */
	get #declaredSamples(): number {
		const seconds = (this.#declared ?? blockSeconds) + declaredSlackSeconds;
		return Math.min(Math.ceil(seconds * sampleRate), blockSamples);
	}

	/** `last`: nothing is written to the window any more, and what is there needs no copy. */
	#clipOf({ start, end }: Span, last: boolean): Clip {
		const samples = this.#window.view(Math.floor(start * sampleRate), Math.ceil(end * sampleRate));
		return { samples: last ? samples : samples.slice(), start, end };
	}
}
