import { describe, expect, test } from 'vitest';
import { Leveller, LiveLeveller, levelled } from '../../../src/audio/leveller.js';
import { rmsOf, sampleRate } from '../../../src/core/speech/pcm.js';

const decibels = (value: number) => 10 ** (value / 20);

/** Syllables of 0.2 s with pauses of 0.1 s, at a peak of `peak`. */
function speech(seconds: number, peak: number): Float32Array {
	return Float32Array.from({ length: seconds * sampleRate }, (_, at) => {
		const isSound = (at / sampleRate) % 0.3 < 0.2;
		return isSound ? peak * Math.sin((2 * Math.PI * 200 * at) / sampleRate) : 0;
	});
}

/** The same at every moment. */
function hum(seconds: number, peak: number): Float32Array {
	return Float32Array.from(
		{ length: seconds * sampleRate },
		(_, at) => peak * Math.sin((2 * Math.PI * 200 * at) / sampleRate),
	);
}

const loudnessOf = (samples: Float32Array) => rmsOf(samples.subarray(0, sampleRate / 10));

describe('quiet speech', () => {
	test.each([-30, -40, -50, -60])('with its peak at %i dB is as loud as any other', (peak) => {
		const loudness = loudnessOf(levelled(speech(3, decibels(peak))));
		expect(loudness).toBeCloseTo(0.05, 3);
	});

	test('that is loud enough stays as it is', () => {
		const samples = speech(3, 0.5);
		expect(levelled(samples) === samples).toBe(true);
		expect(new Leveller().level(samples) === samples).toBe(true);
	});

	test('is loud from the first sample of a recording', () => {
		expect(loudnessOf(new Leveller().level(speech(10, decibels(-50))))).toBeCloseTo(0.05, 3);
	});

	test('keeps its loudness through blocks, whatever the pauses are', () => {
		const leveller = new Leveller();
		leveller.level(speech(10, decibels(-40)));
		leveller.level(new Float32Array(10 * sampleRate));
		expect(loudnessOf(leveller.level(speech(10, decibels(-40))))).toBeCloseTo(0.05, 3);
	});

	test('is not changed with a step where a block is louder than the one before', () => {
		const leveller = new Leveller();
		leveller.level(speech(10, decibels(-50)));
		const block = speech(10, decibels(-30));
		const made = leveller.level(block);
		const gains = Array.from(made, (sample, at) => sample / (block[at] ?? 0));
		const changes = gains.map((gain, at) => gain / (gains[at - 1] ?? gain)).filter(Number.isFinite);
		expect(Math.min(...changes)).toBeGreaterThan(0.99);
		expect(loudnessOf(made.subarray(5.1 * sampleRate))).toBeCloseTo(0.05, 3);
	});
});

describe('a clip', () => {
	const bounds = [
		['all of the block', 0, 2],
		['a part of the block', 0.25, 1.5],
		['of the block before', 2, 4],
	] as const;

	test.each(bounds)('is raised by its own loudness: %s', (_, from, to) => {
		const recording = speech(4, decibels(-40));
		recording.subarray(2 * sampleRate).forEach((sample, at, later) => {
			later[at] = sample / 10;
		});
		const leveller = new Leveller();
		leveller.level(recording.subarray(2 * sampleRate));
		leveller.level(recording.subarray(0, 2 * sampleRate));
		const clip = recording.subarray(from * sampleRate, to * sampleRate);
		expect(leveller.levelClip(clip)).toEqual(levelled(clip));
	});
});

describe('what is no speech', () => {
	test.each(['silence', 'hum', 'the noise of 16 bits'])('is not raised: %s', (what) => {
		const samples = {
			silence: new Float32Array(3 * sampleRate),
			hum: hum(3, decibels(-50)),
			'the noise of 16 bits': speech(3, 1 / 65_536),
		}[what] as Float32Array;
		expect(levelled(samples) === samples).toBe(true);
		expect(new Leveller().level(samples) === samples).toBe(true);
	});

	test('is raised by at most 20 dB more than speech of the same recording', () => {
		const leveller = new Leveller();
		leveller.level(speech(10, 0.5));
		const rustle = speech(10, decibels(-60));
		const made = leveller.level(rustle);
		expect(loudnessOf(made.subarray(3 * sampleRate)) / loudnessOf(rustle)).toBeCloseTo(10, 2);
	});

	test('too short for a frame is left alone', () => {
		const samples = new Float32Array(10).fill(0.001);
		expect(levelled(samples) === samples).toBe(true);
	});
});

describe('live audio', () => {
	/** The loudness of each second, in frames of 64 ms. */
	const seconds = (samples: Float32Array): number[] => {
		const leveller = new LiveLeveller();
		const received: number[] = [];
		for (let at = 0; at < samples.length; at += 1024)
			received.push(...leveller.level(samples.subarray(at, at + 1024)));
		return Array.from({ length: samples.length / sampleRate }, (_, second) =>
			rmsOf(Float32Array.from(received.slice(second * sampleRate, (second + 1) * sampleRate))),
		);
	};

	test('is raised as the seconds before it had to be', () => {
		const quiet = seconds(speech(6, decibels(-50)));
		expect(quiet[0]).toBeLessThan(0.002);
		expect(quiet[4]).toBeGreaterThan(0.03);
		expect(quiet[5]).toBeGreaterThan(0.03);
	});

	test('that is loud enough, and noise, stay as they are', () => {
		const loud = speech(1, 0.5);
		expect(new LiveLeveller().level(loud) === loud).toBe(true);
		for (const loudness of seconds(hum(6, decibels(-50)))) expect(loudness).toBeLessThan(0.003);
	});
});
