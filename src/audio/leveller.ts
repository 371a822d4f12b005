/** Raises quiet speech to a normal loudness. Pure. */

import { levelFrameSeconds, rmsOf, sampleRate } from '../core/speech/pcm.js';

/** RMS of the loud frames of speech above which more gain does not improve detection: 26 dB below full scale. */
const targetLevel = 0.05;
/** Speech is detected down to a peak of −60 dB; its loud frames are about 15 dB below the peak. */
const maxGain = 1000;
/** Long pauses contain only noise, which is raised by at most 20 dB more than the loudest speech so far. */
const maxRise = 10;
/** The level of speech varies. If the loud frames are less than 6 dB above the quiet ones, the block is noise or
 * silence. */
const minRange = 2;
/** Half a step of 16-bit audio: levels below it are digital silence. */
const minLevel = 1 / 65_536;

const loudShare = 0.95;
const quietShare = 0.1;
const frameSamples = Math.round(levelFrameSeconds * sampleRate);
/** The gain changes over this time, so that the change itself is inaudible. */
const rampSamples = sampleRate / 4;

/** The clip at a normal loudness: unchanged if it is loud enough, else a copy. */
export function levelled(samples: Float32Array): Float32Array {
	return raisedBy(gainFor(samples), samples);
}

/** Levels the blocks of a recording for voice activity detection, which runs before it is split into clips; then the clips. */
export class Leveller {
	readonly #gain = new SpeechGain();
	#measured: { readonly block: Float32Array; readonly gain: number | null } | undefined;

	/** The clip as `levelled` returns it. A clip that is the whole last block, as in most short recordings, is not measured
	 * again. */
	levelClip(samples: Float32Array): Float32Array {
		const { block, gain } = this.#measured ?? {};
		return block !== undefined && gain !== undefined && isSame(block, samples)
			? raisedBy(gain, samples)
			: levelled(samples);
	}

	/** The block at a normal loudness: unchanged if it is loud enough, else a copy. Takes blocks of some seconds, in
	 * order. */
	level(block: Float32Array): Float32Array {
		const before = this.#gain.isKnown ? this.#gain.value : undefined;
		const gain = gainFor(block);
		this.#measured = { block, gain };
		this.#gain.follow(gain);
		const to = this.#gain.value;
		const from = before ?? to;
		return from === 1 && to === 1 ? block : raised(block, from, to);
	}
}

/** The gain of live audio is computed from this much audio before it. */
const followSamples = 2 * sampleRate;

/** Levels live audio, whose gain can depend only on the audio before it. */
export class LiveLeveller {
	readonly #gain = new SpeechGain();
	#recent = new Float32Array(followSamples);
	#count = 0;

	/** The frame with the gain that the speech before it needs: unchanged if that was loud enough, else a copy. */
	level(frame: Float32Array): Float32Array {
		const gain = this.#gain.value;
		for (let at = 0; at < frame.length; ) {
			const part = frame.subarray(at, at + followSamples - this.#count);
			this.#recent.set(part, this.#count);
			this.#count += part.length;
			at += part.length;
			if (this.#count < followSamples) break;
			this.#gain.follow(gainFor(this.#recent));
			this.#count = 0;
		}
		return gain === 1 ? frame : raised(frame, gain, gain);
	}
}

class SpeechGain {
	#value = 1;
	/** Gain of the loudest speech so far; null before the first speech. */
	#least: number | null = null;

	get value(): number {
		return this.#value;
	}

	get isKnown(): boolean {
		return this.#least !== null;
	}

	/** `wanted`: by the next block alone; null where there seems to be no speech in it. */
	follow(wanted: number | null): void {
		if (wanted === null) return;
		this.#least = Math.min(wanted, this.#least ?? wanted);
		this.#value = Math.min(wanted, this.#least * maxRise);
	}
}

function raisedBy(gain: number | null, samples: Float32Array): Float32Array {
	return gain === null || gain === 1 ? samples : raised(samples, gain, gain);
}

/** Whether both are views of the same memory. */
function isSame(a: Float32Array, b: Float32Array): boolean {
	return a.buffer === b.buffer && a.byteOffset === b.byteOffset && a.length === b.length;
}

/** A copy whose gain goes from `from` to `to` over the ramp, evenly in decibels. Plain loops, since this runs on every
 * recording and `map` takes five times as long. */
function raised(samples: Float32Array, from: number, to: number): Float32Array {
	const input = new Float32Array(samples.length);
	const ramp = from === to ? 0 : Math.min(rampSamples, samples.length);
	for (let at = 0; at < ramp; at++) input[at] = (samples[at] ?? 0) * from * (to / from) ** (at / rampSamples);
	for (let at = ramp; at < samples.length; at++) input[at] = (samples[at] ?? 0) * to;
	return input;
}

/** The gain that brings the block's speech to the target level, 1 or more; null if it seems to contain no speech. */
function gainFor(block: Float32Array): number | null {
	const levels = new Float64Array(Math.floor(block.length / frameSamples));
	for (let i = 0; i < levels.length; i++) levels[i] = rmsOf(block, i * frameSamples, (i + 1) * frameSamples);
	levels.sort();
	const at = (share: number) => levels[Math.floor(share * (levels.length - 1))] ?? 0;
	const loud = at(loudShare);
	if (loud < minLevel || loud < minRange * at(quietShare)) return null;
	return Math.min(Math.max(targetLevel / loud, 1), maxGain);
}
