/** Splits a recording into clips, one block at a time: decode → detect speech → split. */

import type { Clip } from '../core/speech/clip.js';
import type { ChunkingOptions, TranscribeOptions } from '../core/speech/options.js';
import { sampleRate } from '../core/speech/pcm.js';
import type { Recording } from '../core/speech/recording.js';
import type { AudioReader, OpenAudio } from './decode.js';
import { Leveller } from './leveller.js';
import { SampleWindow } from './sample-window.js';
import { type Span, SpeechSpans } from './speech-spans.js';
import { ClipSplitter } from './split.js';
import type { OpenVad, VadSession } from './vad.js';

export interface ChunkerParts {
	readonly openAudio: OpenAudio;
	readonly openVad: OpenVad;
	readonly limits: { readonly maxClipSeconds: number; readonly mergeGapSeconds: number };
}

/** What decides where clips begin and end. */
export type ClipOptions = Pick<TranscribeOptions, 'chunking' | 'breaks'>;

/**
 * Seconds decoded and searched for speech in one step. Most recordings fit into one block; for longer ones the first
 * clip is ready early, and at most one block is decoded more than requested.
 */
export const blockSeconds = 10;

const blockSamples = blockSeconds * sampleRate;

/** Tolerance for a declared duration, since headers and resamplers round. */
const declaredSlackSeconds = 0.1;

/** Splits a recording into the same clips every time, whatever the timing of the calls. */
export class Chunker {
	readonly #parts: ChunkerParts;
	readonly #chunking: ChunkingOptions;
	readonly #channel: number | undefined;
	readonly #reader: AudioReader;
	readonly #window = new SampleWindow(sampleRate);
	readonly #splitter: ClipSplitter;
	readonly #leveller = new Leveller();
	readonly #speech = new SpeechSpans();
	#vad: VadSession | undefined;
	#declared: number | null = null;
	#blocks = 0;
	#ended = false;
	#closing: Promise<void> | undefined;

	/** `channel`: the only channel to decode, from 0; absent = all channels, mixed. */
	constructor(
		parts: ChunkerParts,
		recording: Recording,
		{ chunking, breaks = [] }: ClipOptions,
		channel?: number,
	) {
		this.#parts = parts;
		this.#chunking = chunking;
		this.#channel = channel;
		this.#reader = parts.openAudio(recording, channel);
		this.#splitter = new ClipSplitter(
			{
				maxClipSeconds: parts.limits.maxClipSeconds,
				mergeGapSeconds: parts.limits.mergeGapSeconds,
				paddingSeconds: chunking.prefixPaddingMs / 1000,
				breaks,
			},
			(frame) => this.#window.levelOf(frame),
		);
	}

	/** Number of blocks processed. */
	get blocks(): number {
		return this.#blocks;
	}

	/** The recording was decoded to its end, and all its clips were returned. */
	get ended(): boolean {
		return this.#ended;
	}

	/** Seconds: exact once the recording has ended, before that as declared by the container, null if it declares none. */
	get duration(): number | null {
		return this.#ended ? this.decodedSeconds : this.#declared;
	}

	/** Number of channels of the recording; known once a block was processed. */
	get channels(): number {
		return this.#reader.channels;
	}

	/** Later clips do not start before this, seconds of the recording. */
	get earliest(): number {
		return this.#ended ? Number.POSITIVE_INFINITY : this.#splitter.needed;
	}

	/** Whether the file is cut off before the end of its recording; known once `ended`. */
	get truncated(): boolean {
		return this.#reader.truncated;
	}

	get decodedSeconds(): number {
		return this.#window.end / sampleRate;
	}

	/** Decodes the next block and returns the clips that are final now, possibly none. Throws EarshotError. */
	async next(): Promise<Clip[]> {
		this.#vad ??= await this.#open();
		const block = await this.#read();
		const last = block.length < blockSamples;
		const segments = await this.#vad.push(this.#leveller.level(block), last);
		this.#speech.push(segments);
		const ranges = this.#splitter.push(segments);
		if (last) ranges.push(...this.#splitter.finish(this.decodedSeconds));
		const clips = ranges.map((range) => this.#clipOf(range, last));
		this.#speech.forget(this.#splitter.needed);
		if (!last) this.#window.forget(Math.floor(this.#splitter.needed * sampleRate));
		this.#blocks++;
		this.#ended = last;
		return clips;
	}

	/** Cancels the running call. Safe to call twice. */
	close(): Promise<void> {
		this.#closing ??= Promise.all([this.#reader.close(), this.#vad?.close()]).then(() => {});
		return this.#closing;
	}

	async #open(): Promise<VadSession> {
		this.#declared = await this.#reader.open();
		const vad = await this.#parts.openVad(this.#chunking);
		if (this.#closing) await vad.close();
		return vad;
	}

	/** The next block, which is shorter than `blockSamples` only at the end of the recording. */
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

	/** Size of the first read: the declared length, so a short recording is read to its end at once. */
	get #declaredSamples(): number {
		const seconds = (this.#declared ?? blockSeconds) + declaredSlackSeconds;
		return Math.min(Math.ceil(seconds * sampleRate), blockSamples);
	}

	/** `last`: the window will not be written to again, so the samples need no copy. */
	#clipOf({ start, end }: Span, last: boolean): Clip {
		const samples = this.#window.view(Math.floor(start * sampleRate), Math.ceil(end * sampleRate));
		const levelled = this.#leveller.levelClip(samples);
		return {
			samples: last || levelled !== samples ? levelled : samples.slice(),
			start,
			end,
			...(!this.#vad?.assumesSpeech && { speech: this.#speech.within({ start, end }) }),
			...(this.#channel !== undefined && { channel: this.#channel }),
		};
	}
}
