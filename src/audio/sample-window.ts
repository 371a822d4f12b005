/** The samples of a recording that are still needed. Positions are in samples from the start of the recording. */

import { levelFrameSeconds, rmsOf } from '../core/speech/pcm.js';

export class SampleWindow {
	readonly #sampleRate: number;
	#samples: Float32Array = new Float32Array(0);
	/** Position of `#samples[0]` in the recording. */
	#start = 0;
	#length = 0;

	constructor(sampleRate: number) {
		this.#sampleRate = sampleRate;
	}

	/** Position after the last sample so far. */
	get end(): number {
		return this.#start + this.#length;
	}

	/** Number of samples held. */
	get length(): number {
		return this.#length;
	}

	/** A buffer for the next `count` samples, with anything in it. Write to it, then call `grow` before any other method. */
	room(count: number): Float32Array {
		if (this.#length + count > this.#samples.length) {
			const larger = uninitialized(this.#length + count);
			larger.set(this.#samples.subarray(0, this.#length));
			this.#samples = larger;
		}
		return this.#samples.subarray(this.#length, this.#length + count);
	}

	/** Adds the `count` samples written to `room`. */
	grow(count: number): void {
		this.#length += count;
	}

	/** Drops the samples before this position. */
	forget(before: number): void {
		const stale = Math.min(Math.max(before - this.#start, 0), this.#length);
		this.#samples.copyWithin(0, stale, this.#length);
		this.#start += stale;
		this.#length -= stale;
	}

	/** A view without a copy, valid until `room` or `forget` is called. Both positions must be held. */
	view(from: number, to: number): Float32Array {
		return this.#samples.subarray(from - this.#start, Math.min(to - this.#start, this.#length));
	}

	/** Root mean square of the frame with this index; frames are `levelFrameSeconds` long. */
	levelOf(frame: number): number {
		const size = Math.round(levelFrameSeconds * this.#sampleRate);
		const at = frame * size - this.#start;
		return Math.fround(rmsOf(this.#samples.subarray(at, Math.min(at + size, this.#length))));
	}
}

/** Samples to be written before they are read: setting two seconds of them to 0 takes as long as decoding them. */
function uninitialized(count: number): Float32Array {
	const { buffer, byteOffset } = Buffer.allocUnsafeSlow(count * Float32Array.BYTES_PER_ELEMENT);
	return new Float32Array(buffer, byteOffset, count);
}
