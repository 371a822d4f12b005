/** Splits each channel of a recording into clips of its own. */

import { EarshotError } from '../core/errors.js';
import type { Clip } from '../core/speech/clip.js';
import { maxSplitChannels } from '../core/speech/options.js';
import type { Recording } from '../core/speech/recording.js';
import { Chunker, type ChunkerParts, type ClipOptions } from './chunker.js';

/** Where a pipeline gets its clips from. */
export type ClipSource = Pick<
	Chunker,
	'blocks' | 'ended' | 'duration' | 'decodedSeconds' | 'truncated' | 'next' | 'close'
>;

/** The clips of all channels, ordered by start. Like Chunker, it returns the same clips in the same order every
 * time. */
export class ChannelChunker implements ClipSource {
	readonly #open: (channel: number) => Chunker;
	/** One for each channel; the first block shows how many channels there are. */
	readonly #chunkers: Chunker[];
	/** Clips held back because another channel may still have an earlier one. */
	#waiting: Clip[] = [];

	constructor(parts: ChunkerParts, recording: Recording, options: ClipOptions) {
		this.#open = (channel) => new Chunker(parts, recording, options, channel);
		this.#chunkers = [this.#open(0)];
	}

	get blocks(): number {
		return this.#chunkers.reduce((sum, { blocks }) => sum + blocks, 0);
	}

	get ended(): boolean {
		return this.#chunkers.every(({ ended }) => ended);
	}

	get duration(): number | null {
		return this.#chunkers[0]?.duration ?? null;
	}

	get decodedSeconds(): number {
		return Math.max(...this.#chunkers.map(({ decodedSeconds }) => decodedSeconds));
	}

	get truncated(): boolean {
		return this.#chunkers.some(({ truncated }) => truncated);
	}

	/** Decodes the next block of the channel that has progressed least. Throws EarshotError. */
	async next(): Promise<Clip[]> {
		const [slowest] = this.#chunkers
			.filter(({ ended }) => !ended)
			.sort((a, b) => a.decodedSeconds - b.decodedSeconds);
		if (slowest === undefined) return [];
		this.#waiting.push(...(await slowest.next()));
		if (this.blocks === 1) this.#openChannels(slowest.channels);
		this.#waiting.sort((a, b) => a.start - b.start || (a.channel ?? 0) - (b.channel ?? 0));
		const earliest = Math.min(...this.#chunkers.map((chunker) => chunker.earliest));
		const count = this.#waiting.findIndex(({ start }) => start >= earliest);
		return this.#waiting.splice(0, count === -1 ? this.#waiting.length : count);
	}

	async close(): Promise<void> {
		await Promise.all(this.#chunkers.map((chunker) => chunker.close()));
	}

	#openChannels(count: number): void {
		if (count > maxSplitChannels) {
			throw new EarshotError(
				'unsupported_value',
				`Expected a recording of at most ${maxSplitChannels} channels for \`channels\` \`split\`, got ${count}; leave \`channels\` out to transcribe them as one`,
				{ param: 'channels' },
			);
		}
		for (let channel = 1; channel < count; channel++) this.#chunkers.push(this.#open(channel));
	}
}
