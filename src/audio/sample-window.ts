/** The stretch of a recording that is still of use. Samples are counted from the start of the recording. */

import { levelFrameSeconds, rmsOf } from '../speech/pcm.js';

export class SampleWindow {
	readonly #sampleRate: number;
	#samples = new Float32Array(0);
	/** Position of `#samples[0]` in the recording. */
	#start = 0;
	#length = 0;

	constructor(sampleRate: number) {
		this.#sampleRate = sampleRate;
	}

	/** Where the recording ends as far as it is known. */
	get end(): number {
		return this.#start + this.#length;
	}

	/** Samples held. */
	get length(): number {
		return this.#length;
	}

	/** Room for the next `count` samples, to be written before any other call but `grow`. */
	room(count: number): Float32Array {
		if (this.#length + count > this.#samples.length) {
			const larger = new Float32Array(this.#length + count);
			larger.set(this.#samples.subarray(0, this.#length));
			this.#samples = larger;
		}
		return this.#samples.subarray(this.#length, this.#length + count);
	}

	/** So many were written. */
	grow(count: number): void {
		this.#length += count;
	}

	/** Samples before this position are of no more use. */
	forget(before: number): void {
		const stale = Math.min(Math.max(before - this.#start, 0), this.#length);
		this.#samples.copyWithin(0, stale, this.#length);
		this.#start += stale;
		this.#length -= stale;
	}

	/** Where they are until `room` or `forget` is called. Both positions are held. */
	view(from: number, to: number): Float32Array {
		return this.#samples.subarray(from - this.#start, Math.min(to - this.#start, this.#length));
	}

	/** Root mean square of the frame of `levelFrameSeconds` of that number. */
	levelOf(frame: number): number {
		const size = Math.round(levelFrameSeconds * this.#sampleRate);
		const at = frame * size - this.#start;
		return Math.fround(rmsOf(this.#samples.subarray(at, at + size)));
	}
}
