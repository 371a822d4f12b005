import { describe, expect, test } from 'vitest';
import type { AudioReader } from '../../../src/audio/decode.js';
import { type Diarization, diarize } from '../../../src/diarization/diarizer.js';
import type { SpeakerNetworks } from '../../../src/diarization/networks.js';
import type { SpeakersOptions } from '../../../src/diarization/speakers.js';

const shape = { window: 160_000, frames: 589, shift: 270, field: 991 };
/** What people sound like: the value of their samples. Two at once are the sum. */
const ann = 0.1;
const bob = 0.2;
const eve = 0.4;

/** `[0, 4, ann]`: from 0 s to 4 s. Where parts overlap, both speak. */
type Part = readonly [start: number, end: number, voice: number];

function soundOf(parts: readonly Part[], seconds: number): Float32Array {
	const samples = new Float32Array(Math.round(seconds * 16_000));
	for (const [start, end, voice] of parts)
		for (let at = Math.round(start * 16_000); at < Math.min(end * 16_000, samples.length); at++)
			samples[at] = (samples[at] ?? 0) + voice;
	return samples;
}

const voices = [ann, bob, eve];
const near = (a: number, b: number) => Math.abs(a - b) < 0.01;
/** Who speaks in a sample. */
const voicesIn = (sample: number): number[] => {
	for (const set of [[], [0], [1], [2], [0, 1], [0, 2], [1, 2]])
		if (
			near(
				sample,
				set.reduce((sum, each) => sum + (voices[each] ?? 0), 0),
			)
		)
			return set;
	return [];
};

const classes = [[], [0], [1], [2], [0, 1], [0, 2], [1, 2]];

/** Networks that know the three, and number them anew in every window, as pyannote's does. */
class FakeNetworks implements SpeakerNetworks {
	readonly shape = shape;
	readonly fingerprint = 'fake';
	segments = 0;
	embedded = 0;
	/** Voices that the embedding takes for one. */
	alike: readonly number[] = [];

	async segment(window: Float32Array): Promise<Float32Array> {
		const turn = this.segments++;
		const scores = new Float32Array(shape.frames * classes.length).fill(-20);
		for (let frame = 0; frame < shape.frames; frame++) {
			const voices = voicesIn(window[Math.round(frame * shape.shift + shape.field / 2)] ?? 0)
				.map((voice) => (voice + turn) % 3)
				.sort((a, b) => a - b);
			const found = classes.findIndex((each) => each.join() === voices.join());
			scores[frame * classes.length + found] = 0;
		}
		return scores;
	}

	async embed(samples: Float32Array): Promise<Float32Array> {
		this.embedded += samples.length / 16_000;
		const vector = new Float32Array(3);
		for (const sample of samples)
			for (const voice of voicesIn(sample)) {
				const at = this.alike.includes(voice) ? (this.alike[0] ?? 0) : voice;
				vector[at] = (vector[at] ?? 0) + 1;
			}
		return vector;
	}

	async close(): Promise<void> {}
}

function readerOf(samples: Float32Array): AudioReader {
	let at = 0;
	return {
		truncated: false,
		channels: 1,
		open: async () => null,
		async read(into) {
			const count = Math.min(into.length, samples.length - at);
			into.set(samples.subarray(at, at + count));
			at += count;
			return count;
		},
		close: async () => {},
	};
}

async function diarized(
	parts: readonly Part[],
	seconds: number,
	options: Partial<SpeakersOptions> = {},
	networks = new FakeNetworks(),
): Promise<Diarization> {
	const reader = readerOf(soundOf(parts, seconds));
	return await diarize(networks, reader, { threshold: 0.33, ...options }, new AbortController().signal);
}

/** `0 0-4`: the speaker, and from when to when, in seconds. */
const shown = ({ turns }: Diarization) =>
	turns.map(
		({ speaker, start, end }) => `${speaker} ${Math.round(start * 5) / 5}-${Math.round(end * 5) / 5}`,
	);

describe('who speaks when', () => {
	test('is given as turns, numbered in order of appearance, whatever the windows call them', async () => {
		const found = await diarized(
			[
				[0, 4, bob],
				[5, 9, ann],
				[10, 15, bob],
				[16, 21, eve],
			],
			22,
		);
		expect(shown(found)).toEqual(['0 0-4', '1 5-9', '0 10-15', '2 16-21']);
		expect(found.duration).toBe(22);
		expect(found.voices.map((voice) => [...(voice ?? [])].map(Math.round))).toEqual([
			[0, 1, 0],
			[1, 0, 0],
			[0, 0, 1],
		]);
	});

	test('also of a speaker who was silent for longer than a window', async () => {
		const found = await diarized(
			[
				[0, 5, ann],
				[6, 30, bob],
				[31, 36, ann],
			],
			37,
		);
		expect(shown(found)).toEqual(['0 0-5', '1 6-30', '0 31-36']);
	});

	test('also of a speaker whose track the network confuses', async () => {
		class Unsure extends FakeNetworks {
			override async segment(window: Float32Array): Promise<Float32Array> {
				const from = this.segments * 59;
				const scores = await super.segment(window);
				for (let frame = 0; frame < shape.frames; frame++) {
					const at = ((from + frame) * shape.shift) / 16_000;
					if (at < 4 || at >= 6) continue;
					classes.forEach((voices, index) => {
						const isOne = voices.length === 1 && voices[0] !== 2;
						scores[frame * classes.length + index] = isOne ? Math.log(0.48) : -20;
					});
				}
				return scores;
			}
		}
		expect(shown(await diarized([[0, 9, ann]], 10, {}, new Unsure()))).toEqual(['0 0-9']);
	});

	test('where the network sees nothing at the edges of its windows, too', async () => {
		class Blinkered extends FakeNetworks {
			override async segment(window: Float32Array): Promise<Float32Array> {
				const scores = await super.segment(window);
				for (let frame = 0; frame < shape.frames; frame++) {
					if (frame > shape.frames / 4 && frame < (3 * shape.frames) / 4) continue;
					scores.fill(-20, frame * classes.length, (frame + 1) * classes.length);
					scores[frame * classes.length] = 0;
				}
				return scores;
			}
		}
		expect(shown(await diarized([[4, 9, ann]], 20, {}, new Blinkered()))).toEqual(['0 4-9']);
	});

	test('of two at once, by turns that overlap', async () => {
		const found = await diarized(
			[
				[0, 6, ann],
				[5, 11, bob],
			],
			12,
		);
		expect(shown(found)).toEqual(['0 0-6', '1 5-11']);
	});

	test('of a speaker who speaks only while another speaks, kept apart', async () => {
		const found = await diarized(
			[
				[0, 9, ann],
				[4, 5, bob],
				[10, 15, bob],
			],
			16,
		);
		expect(shown(found)).toEqual(['0 0-9', '1 4-5', '1 10-15']);
	});

	test('looks at each second of a voice once', async () => {
		const networks = new FakeNetworks();
		await diarized(
			[
				[0, 30, ann],
				[30, 60, bob],
			],
			60,
			{},
			networks,
		);
		expect(networks.embedded).toBeGreaterThan(55);
		expect(networks.embedded).toBeLessThanOrEqual(60.1);
	});

	test('joins turns across pauses of less than half a second only', async () => {
		const found = await diarized(
			[
				[0, 2, ann],
				[2.3, 5, ann],
				[6, 8, ann],
			],
			9,
		);
		expect(shown(found)).toEqual(['0 0-5', '0 6-8']);
	});
});

describe('no speaker is invented', () => {
	test.each<[string, Part[], number, string[]]>([
		['nothing', [], 0, []],
		['one sample', [], 1 / 16_000, []],
		['a twentieth of a second', [[0, 1, ann]], 0.05, []],
		['silence', [], 30, []],
		['0.4 s', [[0, 1, ann]], 0.4, ['0 0-0.4']],
		['less than a window', [[0, 9, ann]], 9.9, ['0 0-9']],
		['a window', [[0, 10, ann]], 10, ['0 0-10']],
		['a little more than a window', [[0, 11, ann]], 10.01, ['0 0-10']],
		['the end alone', [[19.6, 20, ann]], 20, ['0 19.6-20']],
	])('in %s', async (_, parts, seconds, expected) => {
		expect(shown(await diarized(parts, seconds))).toEqual(expected);
	});

	test('where samples are no numbers', async () => {
		const samples = soundOf([[0, 4, ann]], 10).fill(Number.NaN, 64_000);
		const signal = new AbortController().signal;
		const found = await diarize(new FakeNetworks(), readerOf(samples), { threshold: 0.33 }, signal);
		expect(shown(found)).toEqual(['0 0-4']);
	});

	test('to reach a requested number', async () => {
		const parts: Part[] = [
			[0, 6, ann],
			[7, 13, bob],
		];
		expect((await diarized(parts, 14, { min: 40, max: 40 })).voices).toHaveLength(2);
	});

	test('for a click of another voice', async () => {
		const found = await diarized(
			[
				[0, 10, ann],
				[11, 11.4, bob],
				[12, 20, ann],
			],
			21,
		);
		expect(new Set(found.turns.map(({ speaker }) => speaker))).toEqual(new Set([0]));
	});
});

describe('how many speak', () => {
	const parts: Part[] = [
		[0, 6, ann],
		[7, 13, bob],
		[14, 20, eve],
	];

	test.each([
		[{ max: 2 }, 2],
		[{ max: 1 }, 1],
		[{ min: 2 }, 3],
		[{ min: 3, max: 3 }, 3],
	])('%j of three are %i', async (options, expected) => {
		expect((await diarized(parts, 21, options)).voices).toHaveLength(expected);
	});

	test('two whose voices are alike are one', async () => {
		const networks = new FakeNetworks();
		networks.alike = [0, 1];
		expect((await diarized(parts, 21, {}, networks)).voices).toHaveLength(2);
	});
});

test('a cancelled recording ends between two windows', async () => {
	const control = new AbortController();
	const networks = new FakeNetworks();
	const running = diarize(
		networks,
		readerOf(soundOf([[0, 60, ann]], 60)),
		{ threshold: 0.33 },
		control.signal,
		{
			onWindow: (index) => {
				if (index === 3) control.abort();
			},
		},
	);
	await expect(running).rejects.toMatchObject({ code: 'cancelled' });
	expect(networks.segments).toBeLessThanOrEqual(4);
});

test('windows and progress are reported', async () => {
	const windows: number[] = [];
	const seconds: number[] = [];
	await diarize(
		new FakeNetworks(),
		readerOf(soundOf([], 13)),
		{ threshold: 0.33 },
		new AbortController().signal,
		{
			onWindow: (index) => windows.push(index),
			onProcessed: (_, processed) => seconds.push(processed),
		},
	);
	expect(windows).toEqual([0, 1, 2, 3, 4]);
	expect(seconds.at(-1)).toBe(13);
});
