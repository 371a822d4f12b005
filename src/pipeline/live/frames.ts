/** Divides live audio into frames of equal length, independent of the sizes in which it arrives. */

import type { LiveInput, OpenLiveInput } from '../../audio/live-input.js';
import type { LiveFormat } from '../../core/live/live.js';

/** Frame length for voice activity detection: two windows of Silero, 64 ms. It is fixed, so that results do not depend
 * on message boundaries. */
const frameSamples = 1024;

const nothing = new Uint8Array(0);

export class Frames {
	readonly #input: LiveInput;
	/** Incomplete frame. */
	#rest = new Float32Array(0);

	constructor(openInput: OpenLiveInput, format: LiveFormat) {
		this.#input = openInput(format);
	}

	/** The frames that these bytes complete. */
	push(bytes: Uint8Array): Float32Array[] {
		return this.#cut(this.#input.push(bytes, false));
	}

	/** The remaining audio; the last frame may be shorter. Later audio begins a new frame. */
	flush(): Float32Array[] {
		const frames = this.#cut(this.#input.push(nothing, true));
		if (this.#rest.length > 0) frames.push(this.#rest);
		this.#rest = new Float32Array(0);
		return frames;
	}

	#cut(samples: Float32Array): Float32Array[] {
		const all = joined(this.#rest, samples);
		const frames: Float32Array[] = [];
		let at = 0;
		for (; at + frameSamples <= all.length; at += frameSamples)
			frames.push(all.subarray(at, at + frameSamples));
		this.#rest = all.slice(at);
		return frames;
	}
}

function joined(first: Float32Array, second: Float32Array): Float32Array {
	if (first.length === 0) return second;
	const all = new Float32Array(first.length + second.length);
	all.set(first);
	all.set(second, first.length);
	return all;
}
