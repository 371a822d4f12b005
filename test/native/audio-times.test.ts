/** What a recording is beside its samples: where they belong in time, whether all are there, and its channels. */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { root } from '../helpers/fixtures.js';
import { addon, decodeAudio } from './addon.js';
import { rms, tone, wav } from './wav.js';

const anyLength = { maxSeconds: 3600 };
const folder = path.join(root, 'fixtures', 'recordings');
const recording = (name: string) => readFileSync(path.join(folder, name));
const seconds = (samples: Float32Array) => samples.length / 16_000;

/** When the first sound is heard. */
const onset = (samples: Float32Array) => samples.findIndex((sample) => Math.abs(sample) > 0.003) / 16_000;

describe('times are those that a player shows', () => {
	test.each(['webm', 'mkv', 'mp4', 'm2t'])('sound that starts 2 s after the picture, in %s', async (kind) => {
		const plain = await decodeAudio(recording('digits.flac'), anyLength);
		const late = await decodeAudio(recording(`digits-late.${kind}`), anyLength);
		expect(onset(late.samples) - onset(plain.samples)).toBeCloseTo(2, 1);
		expect(seconds(late.samples)).toBeCloseTo(seconds(plain.samples) + 2, 1);
		expect(late.samples.subarray(0, 29_000).every((sample) => sample === 0)).toBe(true);
	});

	test('a gap in the times of packets is silence', async () => {
		const plain = await decodeAudio(recording('digits.webm'), anyLength);
		const { samples } = await decodeAudio(recording('digits-gap.webm'), anyLength);
		expect(seconds(samples)).toBeCloseTo(seconds(plain.samples) + 2, 1);
		expect(rms(samples.subarray(16_000 * 1.6, 16_000 * 3.4))).toBe(0);
		const [before, after] = [samples.subarray(0, 16_000), samples.subarray(-16_000)];
		expect(rms(before)).toBeCloseTo(rms(plain.samples.subarray(0, 16_000)), 3);
		expect(rms(after)).toBeCloseTo(rms(plain.samples.subarray(-16_000)), 3);
	});

	test("an only stream that begins with its encoder's delay is not late", async () => {
		const bytes = Buffer.from(recording('digits.webm'));
		const plain = await decodeAudio(bytes, anyLength);
		// The first cluster's time, in milliseconds.
		const time = bytes.indexOf(Buffer.from('1f43b675', 'hex')) + 8;
		expect(bytes[time]).toBe(0);
		bytes[time] = 200;
		expect(onset((await decodeAudio(bytes, anyLength)).samples)).toBe(onset(plain.samples));
	});

	test('the silence counts as audio', async () => {
		await expect(decodeAudio(recording('digits-gap.webm'), { maxSeconds: 5.6 })).resolves.toBeTruthy();
		for (const name of ['digits-gap.webm', 'digits-late.webm']) {
			await expect(decodeAudio(recording(name), { maxSeconds: 4 })).rejects.toMatchObject({
				code: 'audio_too_long',
			});
		}
	});
});

describe('a file that ends before its recording does', () => {
	const whole = [
		'digits.mp3',
		'digits.flac',
		'digits.aac',
		'digits.aiff',
		'digits.caf',
		'digits.ogg',
		'digits-vorbis.ogg',
		'digits.webm',
		'digits-video.webm',
		'digits.wma',
		'digits-faststart.mp4',
	];

	test.each(whole)('is distinguished from the whole %s', async (name) => {
		const bytes = recording(name);
		expect(await decodeAudio(bytes, anyLength)).toMatchObject({ truncated: false });
		for (const share of [0.5, 0.8]) {
			const cut = await decodeAudio(bytes.subarray(0, Math.round(bytes.length * share)), anyLength);
			expect(cut).toMatchObject({ truncated: true });
			expect(cut.samples.length).toBeGreaterThan(0);
		}
	});

	test.each(['digits.mp3', 'digits.flac', 'digits.aac', 'digits.ogg', 'digits.webm', 'digits.m4a'])(
		'is not %s with a tag behind it',
		async (name) => {
			const tagged = Buffer.concat([recording(name), Buffer.from('TAG'), Buffer.alloc(125)]);
			expect(await decodeAudio(tagged, anyLength)).toMatchObject({ truncated: false });
		},
	);

	test('is known only at its end', async () => {
		const bytes = recording('digits.flac');
		const reader = addon.openAudio(bytes.subarray(0, 60_000), anyLength);
		await reader.open();
		expect(await reader.read(new Float32Array(100))).toMatchObject({ truncated: false });
		expect(await reader.read(new Float32Array(100_000))).toMatchObject({ truncated: true });
		await reader.close();
	});

	test.each([
		['one channel', {}],
		['two channels', { channels: 2 }],
		['another rate', { rate: 44_100 }],
	])('is a WAV whose header promises more than there is, of %s', async (_, options) => {
		const bytes = wav(options);
		expect(await decodeAudio(bytes, anyLength)).toMatchObject({ truncated: false });
		expect(await decodeAudio(bytes.subarray(0, bytes.length / 2), anyLength)).toMatchObject({
			truncated: true,
		});
	});

	test.each([0, 0xffffffff, 0x7fffffff, 0x7ffff000, 0x80000000])(
		'is not a WAV that was written to a pipe, whose header says %i bytes',
		async (dataBytes) => {
			for (const channels of [1, 2]) {
				const bytes = wav({ channels, lie: { dataBytes } });
				bytes.writeUInt32LE(dataBytes, 4);
				const { truncated, samples } = await decodeAudio(bytes, anyLength);
				expect(truncated).toBe(false);
				expect(samples.length).toBe(16_000);
			}
		},
	);
});

describe('channels', () => {
	/** Two tones, so that one is heard whatever the other does. */
	const voice = (at: number) => tone(300, 0.3)(at) + tone(700, 0.1)(at);

	test.each([
		['opposite', (at: number, channel: number) => (channel === 0 ? voice(at) : -voice(at))],
		[
			'opposite, one quieter',
			(at: number, channel: number) => (channel === 0 ? voice(at) : -0.7 * voice(at)),
		],
	])('that are %s do not cancel each other', async (_, wave) => {
		for (const rate of [16_000, 44_100]) {
			const { samples } = await decodeAudio(wav({ rate, channels: 2, wave }), anyLength);
			const { samples: mono } = await decodeAudio(wav({ rate, wave: voice }), anyLength);
			expect(rms(samples)).toBeGreaterThan(0.8 * rms(mono));
		}
	});

	test('that turn round in the middle of a recording are mixed without a click', async () => {
		const wave = (at: number, channel: number) => tone(200, 0.5)(at) * (channel === 1 && at > 1 ? -1 : 1);
		const { samples } = await decodeAudio(wav({ channels: 2, seconds: 2, wave }), anyLength);
		const steps = samples.subarray(1).map((sample, at) => Math.abs(sample - (samples[at] ?? 0)));
		// The tone's own greatest step.
		expect(Math.max(...steps)).toBeLessThan(1.2 * 0.5 * ((2 * Math.PI * 200) / 16_000));
		expect(rms(samples.subarray(20_000))).toBeCloseTo(rms(samples.subarray(0, 12_000)), 2);
	});

	test('that are alike or different are mixed by their mean', async () => {
		const wave = (at: number, channel: number) => tone(channel === 0 ? 300 : 500, 0.4)(at);
		const { samples } = await decodeAudio(wav({ channels: 2, wave }), anyLength);
		const both = wav({ wave: (at) => (wave(at, 0) + wave(at, 1)) / 2 });
		const { samples: mean } = await decodeAudio(both, anyLength);
		expect(Math.max(...samples.map((each, at) => Math.abs(each - (mean[at] ?? 0))))).toBeLessThan(1e-4);
	});

	test('are transcribed one at a time', async () => {
		const wave = (_: number, channel: number) => 0.1 * (channel + 1);
		for (const bytes of [wav({ channels: 8, wave }), wav({ channels: 8, format: 'f32', wave })]) {
			for (const channel of [0, 3, 7]) {
				const { samples, channels } = await decodeAudio(bytes, { ...anyLength, channel });
				expect(channels).toBe(8);
				expect(samples.every((sample) => Math.abs(sample - 0.1 * (channel + 1)) < 1e-4)).toBe(true);
			}
		}
	});
});
