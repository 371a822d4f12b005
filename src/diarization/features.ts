/**
 * Kaldi's log mel filter banks, the input of voice embedding networks: 80 bins of frames of 25 ms, 10 ms apart, without
 * dither and with mirrored edges (`snip_edges` false), as sherpa-onnx computes them. The mean of each bin over all frames
 * is subtracted (`global-mean`). Pure.
 */

import { sampleRate } from '../core/speech/pcm.js';
import { FourierTransform } from './fourier.js';

export const featureBins = 80;

const frameSize = 0.025 * sampleRate;
const frameShift = 0.01 * sampleRate;
const fftSize = 512;
const preEmphasis = 0.97;
const [lowestHz, highestHz] = [20, sampleRate / 2 - 400];

/** Kaldi's Povey window: a Hann window raised to a power. */
const poveyWindow = Float64Array.from(
	{ length: frameSize },
	(_, i) => (0.5 - 0.5 * Math.cos((2 * Math.PI * i) / (frameSize - 1))) ** 0.85,
);

/** Machine epsilon of float32; Kaldi raises smaller energies to it before the logarithm. */
const minEnergy = 2 ** -23;

const melOf = (hz: number): number => 1127 * Math.log(1 + hz / 700);

interface MelBin {
	readonly first: number;
	readonly weights: Float64Array;
}

const melBins: readonly MelBin[] = Array.from({ length: featureBins }, (_, bin) => {
	const [low, high] = [melOf(lowestHz), melOf(highestHz)];
	const width = (high - low) / (featureBins + 1);
	const [left, centre, right] = [low + bin * width, low + (bin + 1) * width, low + (bin + 2) * width];
	const all = Array.from({ length: fftSize / 2 }, (__, at) => {
		const mel = melOf((at * sampleRate) / fftSize);
		if (mel <= left || mel >= right) return 0;
		return mel <= centre ? (mel - left) / (centre - left) : (right - mel) / (right - centre);
	});
	const first = all.findIndex((weight) => weight > 0);
	const last = all.findLastIndex((weight) => weight > 0);
	return {
		first: Math.max(first, 0),
		weights: Float64Array.from(first < 0 ? [] : all.slice(first, last + 1)),
	};
});

/** How many frames `features` makes of that many samples. */
export function frameCountOf(samples: number): number {
	return Math.floor((samples + frameShift / 2) / frameShift);
}

/** Frames one after another, `featureBins` values each. `samples`: 16 kHz mono; at least 5 ms, or there is no frame. */
export function featuresOf(samples: Float32Array): Float32Array {
	const count = frameCountOf(samples.length);
	const features = new Float32Array(count * featureBins);
	const transform = new FourierTransform(fftSize);
	const powers = [new Float64Array(fftSize / 2), new Float64Array(fftSize / 2)] as const;
	for (let frame = 0; frame < count; frame += 2) {
		transform.im.fill(0);
		transform.re.fill(0);
		frameOf(samples, frame, transform.re);
		if (frame + 1 < count) frameOf(samples, frame + 1, transform.im);
		transform.run();
		transform.powers(...powers);
		writeBins(powers[0], features, frame);
		if (frame + 1 < count) writeBins(powers[1], features, frame + 1);
	}
	subtractMeans(features, count);
	return features;
}

/** The windowed samples of one frame. */
function frameOf(samples: Float32Array, frame: number, into: Float64Array): void {
	const start = frame * frameShift + frameShift / 2 - frameSize / 2;
	let sum = 0;
	for (let at = 0; at < frameSize; at++) {
		const sample = samples[mirrored(start + at, samples.length)] ?? 0;
		into[at] = sample;
		sum += sample;
	}
	const mean = sum / frameSize;
	let before = (into[0] as number) - mean;
	for (let at = 0; at < frameSize; at++) {
		const sample = (into[at] as number) - mean;
		into[at] = (sample - preEmphasis * before) * (poveyWindow[at] as number);
		before = sample;
	}
}

/** Positions outside of the recording, mirrored at its edges as often as it takes. */
function mirrored(at: number, length: number): number {
	let index = at;
	while (index < 0 || index >= length) index = index < 0 ? -index - 1 : 2 * length - 1 - index;
	return index;
}

function writeBins(powers: Float64Array, features: Float32Array, frame: number): void {
	melBins.forEach(({ first, weights }, bin) => {
		let energy = 0;
		for (let at = 0; at < weights.length; at++)
			energy += (weights[at] as number) * (powers[first + at] as number);
		features[frame * featureBins + bin] = Math.log(Math.max(energy, minEnergy));
	});
}

function subtractMeans(features: Float32Array, count: number): void {
	for (let bin = 0; bin < featureBins; bin++) {
		let sum = 0;
		for (let at = bin; at < features.length; at += featureBins) sum += features[at] as number;
		const mean = sum / count;
		for (let at = bin; at < features.length; at += featureBins)
			features[at] = (features[at] as number) - mean;
	}
}
