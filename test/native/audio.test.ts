import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { audioFixture, audioPath, manifest, root } from '../helpers/fixtures.js';
import { addon, decodeAudio } from './addon.js';
import { rifx, rms, seeded, tone, wav } from './wav.js';

const anyLength = { maxSeconds: 3600 };
const recordings = readdirSync(path.join(root, 'fixtures', 'recordings'));
const unsupported = { code: 'audio_unsupported' };

let folder: string;
beforeAll(() => {
	folder = mkdtempSync(path.join(tmpdir(), 'earshot-audio-'));
});
afterAll(() => {
	rmSync(folder, { recursive: true });
});

function write(name: string, content: string | Uint8Array): string {
	const file = path.join(folder, name);
	writeFileSync(file, content);
	return file;
}

function chunk(name: string, content: Buffer): Buffer {
	const head = Buffer.alloc(8);
	head.write(name, 'latin1');
	head.writeUInt32LE(content.length, 4);
	return Buffer.concat([head, content, Buffer.alloc(content.length % 2)]);
}

describe('a recording is decoded to 16 kHz mono', () => {
	test.each(['u8', 's16', 's24', 's32', 'f32', 'f64'] as const)('from %s samples', async (format) => {
		const { samples, container, sampleRate, channels, skippedPackets } = await decodeAudio(
			wav({ format, rate: 44_100, channels: 2 }),
			anyLength,
		);
		expect({ container, sampleRate, channels, skippedPackets }).toEqual({
			container: 'wav',
			sampleRate: 44_100,
			channels: 2,
			skippedPackets: 0,
		});
		expect(samples.length).toBeGreaterThan(15_900);
		expect(samples.length).toBeLessThan(16_100);
		// A voice in both channels is as loud as in one.
		expect(rms(samples)).toBeCloseTo(0.5 / Math.SQRT2, 1);
	});

	test.each([8000, 11_025, 16_000, 22_050, 48_000, 96_000])('from %i Hz', async (rate) => {
		const { samples } = await decodeAudio(wav({ rate, seconds: 2 }), anyLength);
		expect(Math.abs(samples.length - 32_000)).toBeLessThan(50);
		expect(rms(samples)).toBeCloseTo(0.5 / Math.SQRT2, 1);
	});

	test.each(['u8', 's16', 's24', 's32', 'f32', 'f64'] as const)(
		'from one channel of %s as FFmpeg does where the header does not say how much follows',
		async (format) => {
			for (const rate of [8000, 16_000, 44_100]) {
				const recording = { format, rate, seconds: 0.7, wave: tone(440, 0.9) };
				const plain = await decodeAudio(wav(recording), anyLength);
				const endless = await decodeAudio(wav({ ...recording, lie: { dataBytes: 0xffffffff } }), anyLength);
				expect(plain).toMatchObject({
					container: endless.container,
					codec: endless.codec,
					sampleRate: endless.sampleRate,
					channels: endless.channels,
				});
				expect(plain.samples.length).toBe(endless.samples.length);
				// In steps of 24 bits: FFmpeg resamples doubles as doubles.
				const steps = (samples: Float32Array) =>
					Math.max(...samples.map((each, at) => Math.abs(each - (endless.samples[at] ?? 0)))) * 2 ** 23;
				expect(steps(plain.samples)).toBeLessThan(format === 'f64' && rate !== 16_000 ? 8 : 0.5);
			}
		},
	);

	test('from a WAV with other chunks before its samples and behind them', async () => {
		const bytes = wav();
		const odd = chunk('LIST', Buffer.alloc(7, 1));
		const dressed = Buffer.concat([bytes.subarray(0, 36), odd, bytes.subarray(36), odd]);
		const { samples } = await decodeAudio(bytes, anyLength);
		expect((await decodeAudio(dressed, anyLength)).samples).toEqual(samples);
	});

	test('from a WAV that names its format in 16 bytes', async () => {
		const bytes = wav({ format: 's24' });
		const name = Buffer.from('0100000000001000800000aa00389b71', 'hex');
		const format = Buffer.concat([bytes.subarray(20, 36), Buffer.from([22, 0, 24, 0, 4, 0, 0, 0]), name]);
		format.writeUInt16LE(0xfffe, 0);
		const extensible = Buffer.concat([bytes.subarray(0, 12), chunk('fmt ', format), bytes.subarray(36)]);
		const { samples, codec } = await decodeAudio(bytes, anyLength);
		expect(await decodeAudio(extensible, anyLength)).toMatchObject({ samples, codec });
	});

	test('without aliases of what is above 8 kHz', async () => {
		const { samples } = await decodeAudio(wav({ rate: 44_100, wave: tone(9500) }), anyLength);
		// In the middle: a tone that starts and stops at once is no pure tone.
		expect(rms(samples.subarray(1000, -1000))).toBeLessThan(0.0001);
	});

	test('16 kHz 16-bit samples keep their values', async () => {
		const { samples } = await decodeAudio(wav({ wave: () => 0.25 }), anyLength);
		expect(samples.length).toBe(16_000);
		expect(samples.every((sample) => Math.abs(sample - 0.25) < 1e-4)).toBe(true);
	});

	test('every value is finite and in [-1, 1], whatever the file holds', async () => {
		const values = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e30, -5e4, 2.5e4];
		const wave = (seconds: number) => values[Math.round(seconds * 16_000) % values.length] ?? 0;
		for (const rate of [16_000, 44_100]) {
			const { samples } = await decodeAudio(wav({ rate, format: 'f32', wave }), anyLength);
			expect(samples.every((sample) => Math.abs(sample) <= 1)).toBe(true);
		}
		const { samples } = await decodeAudio(wav({ format: 'f32', wave }), anyLength);
		expect([...samples.subarray(0, 6)]).toEqual([0, 0, 0, 1, -0.5, 0.25]);
	});

	test.each([1, 20, 90])(
		'a float file %i dB over full scale is turned down, not clipped',
		async (decibels) => {
			const hot = wav({ format: 'f32', seconds: 2, wave: tone(440, 10 ** (decibels / 20)) });
			const { samples } = await decodeAudio(hot, anyLength);
			const { samples: plain } = await decodeAudio(
				wav({ format: 'f32', seconds: 2, wave: tone(440, 1) }),
				anyLength,
			);
			expect(Math.max(...samples.map((each, at) => Math.abs(each - (plain[at] ?? 0))))).toBeLessThan(0.01);
		},
	);

	test('what is over full scale makes nothing quieter that comes some seconds later', async () => {
		const wave = (seconds: number) => (seconds < 0.1 ? 4 : seconds < 3 ? 0 : 0.5);
		const { samples } = await decodeAudio(wav({ format: 'f32', seconds: 4, wave }), anyLength);
		expect(samples[800]).toBe(1);
		expect(samples[50_000]).toBe(0.5);
	});

	test('one sample is a recording', async () => {
		const { samples } = await decodeAudio(wav({ rate: 48_000, seconds: 1 / 48_000 }), anyLength);
		expect(samples.length).toBe(1);
	});

	test('from a file as from its bytes', async () => {
		const bytes = wav({ rate: 22_050 });
		const fromBytes = await decodeAudio(bytes, anyLength);
		const fromFile = await decodeAudio(write('voice.wav', bytes), anyLength);
		expect(fromFile).toEqual(fromBytes);
	});

	test.each(manifest.audio.map(({ name }) => name))('fixture %s', async (name) => {
		const { seconds, sampleRate, channels } = audioFixture(name);
		const decoded = await decodeAudio(audioPath(name), anyLength);
		expect(decoded).toMatchObject({ sampleRate, channels });
		expect(Math.abs(decoded.samples.length / 16_000 - seconds)).toBeLessThan(0.02);
	});

	test.each([1, 37, 16_000])('in pieces of %i samples as in one', async (blockSamples) => {
		for (const bytes of [wav({ rate: 44_100, channels: 2, seconds: 0.3 }), wav({ seconds: 0.3 })]) {
			const whole = await decodeAudio(bytes, anyLength);
			expect(await decodeAudio(bytes, { ...anyLength, blockSamples })).toEqual(whole);
		}
	});

	test.each(recordings)('%s in pieces as in one', async (name) => {
		const file = path.join(root, 'fixtures', 'recordings', name);
		const whole = await decodeAudio(file, anyLength);
		expect(whole.samples.length).toBeGreaterThan(16_000);
		expect(await decodeAudio(file, { ...anyLength, blockSamples: 1_111 })).toEqual(whole);
	});

	test('as far as it is read, and no further', async () => {
		const file = write('growing.wav', wav({ seconds: 60, wave: () => 0.25 }));
		const reader = addon.openAudio(file, anyLength);
		await reader.open();
		const block = new Float32Array(16_000);
		await reader.read(block);
		// What has not been read by now is another recording.
		writeFileSync(file, wav({ seconds: 60, wave: () => -0.25 }));
		await reader.read(block);
		await reader.read(new Float32Array(16_000 * 30));
		await reader.read(block);
		expect(block.every((sample) => Math.abs(sample + 0.25) < 1e-4)).toBe(true);
		await reader.close();
	});

	test.each(['s16', 's24', 's32', 'f32', 'f64', 'u8'] as const)(
		'from a big-endian WAV of %s',
		async (format) => {
			for (const options of [{ rate: 22_050 }, { channels: 2 }]) {
				const little = await decodeAudio(wav({ format, ...options }), anyLength);
				const big = await decodeAudio(rifx(wav({ format, ...options })), anyLength);
				expect(
					Math.max(...big.samples.map((each, at) => Math.abs(each - (little.samples[at] ?? 0)))),
				).toBeLessThan(1e-6);
				expect(big.samples.length).toBe(little.samples.length);
				expect(big.truncated).toBe(false);
			}
		},
	);

	test('many at once', async () => {
		const bytes = wav({ rate: 44_100, channels: 2 });
		const all = await Promise.all(Array.from({ length: 32 }, () => decodeAudio(bytes, anyLength)));
		for (const { samples } of all) expect(samples).toEqual(all[0]?.samples);
	});
});

test('a container declares how long a recording is', async () => {
	const { declaredSeconds } = await decodeAudio(wav({ seconds: 3 }), anyLength);
	expect(declaredSeconds).toBeCloseTo(3);
});

describe('a reader', () => {
	test('is closed while it reads, and after that refuses', async () => {
		const reader = addon.openAudio(wav({ rate: 8000, seconds: 600, wave: () => 0 }), anyLength);
		await reader.open();
		const reading = reader.read(new Float32Array(16_000 * 600)).catch((error: Error) => error);
		await Promise.all([reader.close(), reader.close()]);
		expect(await reading).toMatchObject({ code: 'cancelled' });
		await expect(reader.read(new Float32Array(1))).rejects.toMatchObject({ code: 'closed' });
	});

	test('takes one call at a time', async () => {
		const reader = addon.openAudio(wav(), anyLength);
		const opening = reader.open();
		await expect(reader.read(new Float32Array(1))).rejects.toMatchObject({ code: 'engine_failed' });
		await opening;
		await reader.close();
	});

	test('reads nothing of what was refused', async () => {
		const reader = addon.openAudio(Buffer.from('no recording'), anyLength);
		await expect(reader.open()).rejects.toMatchObject(unsupported);
		await expect(reader.read(new Float32Array(1))).rejects.toMatchObject({ code: 'closed' });
		await reader.close();
	});

	test('keeps the bytes that it reads', async () => {
		const reader = addon.openAudio(wav({ seconds: 30, wave: () => 0.25 }), anyLength);
		await reader.open();
		for (let round = 0; round < 20; round++) Buffer.alloc(10_000_000, 1);
		(globalThis as { gc?: () => void }).gc?.();
		const samples = new Float32Array(16_000 * 30);
		await reader.read(samples);
		expect(samples.every((sample) => Math.abs(sample - 0.25) < 1e-4)).toBe(true);
		await reader.close();
	});
});

describe('a recording is refused', () => {
	test('when it is longer than allowed, without decoding the rest', async () => {
		const long = wav({ rate: 8000, seconds: 30, wave: () => 0 });
		await expect(decodeAudio(long, { maxSeconds: 29 })).rejects.toMatchObject({
			code: 'audio_too_long',
		});
		await expect(decodeAudio(long, { maxSeconds: 30 })).resolves.toMatchObject({ sampleRate: 8000 });
	});

	test('when it declares to be longer than allowed and is, before anything of it is read', async () => {
		const reader = addon.openAudio(wav({ rate: 8000, seconds: 30, wave: () => 0 }), { maxSeconds: 29 });
		await expect(reader.open()).rejects.toMatchObject({
			code: 'audio_too_long',
			message: 'the recording is longer than 29 s',
		});
		await reader.close();
	});

	test('when it turns out to be longer than it declares', async () => {
		// Nothing tells how long a bare stream of AAC is, but its size.
		const frames = readFileSync(path.join(root, 'fixtures', 'recordings', 'digits.aac'));
		const { samples, declaredSeconds } = await decodeAudio(frames, anyLength);
		const seconds = samples.length / 16_000;
		expect(declaredSeconds).toBeLessThan(seconds - 0.01);
		// 50 ms are forgiven.
		const reader = addon.openAudio(frames, { maxSeconds: (declaredSeconds + seconds) / 2 - 0.05 });
		await reader.open();
		const all = new Float32Array(samples.length);
		await expect(reader.read(all)).rejects.toMatchObject({ code: 'audio_too_long' });
		await reader.close();
	});

	test.each([
		['nothing', ''],
		['text', 'This is no recording.\n'.repeat(100)],
		['a web page', '<!doctype html><html><body>404</body></html>'],
		['JSON', JSON.stringify({ error: 'not found' })],
		['a playlist', '#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n'],
		['a script of files to join', "ffconcat version 1.0\nfile '/etc/hostname'\n"],
		['a description of a session', 'v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nm=audio 5004 RTP/AVP 0\n'],
	])('when it is %s', async (_, text) => {
		await expect(decodeAudio(Buffer.from(text), anyLength)).rejects.toMatchObject(unsupported);
		await expect(decodeAudio(write('voice.wav', text), anyLength)).rejects.toMatchObject(unsupported);
	});

	test.each(['playlist.m3u8', 'joined.ffconcat', 'joined.txt', 'session.sdp'])(
		'when a script calls itself %s',
		async (name) => {
			write('other.wav', wav());
			const script = name.endsWith('m3u8')
				? '#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nother.wav\n#EXT-X-ENDLIST\n'
				: "ffconcat version 1.0\nfile 'other.wav'\n";
			await expect(decodeAudio(write(name, script), anyLength)).rejects.toMatchObject(unsupported);
		},
	);

	test.each([
		'http://127.0.0.1:9/voice.wav',
		'file:/etc/hostname',
		'concat:a.wav|b.wav',
		'subfile,,start,0,end,0,,:/etc/hostname',
		'data:audio/wav;base64,UklGRg==',
		'pipe:0',
		'-',
	])('when its path is %s, which is the name of no file', async (name) => {
		await expect(decodeAudio(name, anyLength)).rejects.toMatchObject({
			...unsupported,
			message: expect.stringContaining('cannot open'),
		});
	});

	test('when there is no such file, or it is a folder', async () => {
		await expect(decodeAudio(path.join(folder, 'none.wav'), anyLength)).rejects.toMatchObject(unsupported);
		await expect(decodeAudio(folder, anyLength)).rejects.toMatchObject(unsupported);
	});

	test('when it is a big-endian WAV of another kind than PCM and floats', async () => {
		const odd = rifx(wav({ lie: { tag: 7 } }));
		await expect(decodeAudio(odd, anyLength)).rejects.toMatchObject({
			...unsupported,
			message: expect.stringContaining('RIFX'),
		});
	});

	test('when its header holds no sample', async () => {
		await expect(decodeAudio(wav({ seconds: 0 }), anyLength)).rejects.toMatchObject(unsupported);
	});

	test.each([
		{ channels: 0 },
		{ channels: 65_535 },
		{ channels: 210 },
		{ rate: 0 },
		{ rate: 0xffffffff },
		{ rate: 1 },
		{ bits: 0 },
		{ tag: 0x7777 },
	])('when its header says %o', async (lie) => {
		await expect(decodeAudio(wav({ lie }), anyLength)).rejects.toMatchObject(unsupported);
	});
});

test('a header that promises more than there is costs only what is missing', async () => {
	const { samples } = await decodeAudio(wav({ lie: { dataBytes: 0xffffffff } }), anyLength);
	expect(samples.length).toBe(16_000);
});

test('no mutation of a recording does worse than be refused', async () => {
	const random = seeded(20_261_121);
	const originals = [
		wav({ seconds: 0.2 }),
		wav({ seconds: 0.2, rate: 44_100, channels: 2, format: 'f32' }),
		wav({ seconds: 0.2, rate: 8000, format: 'u8' }),
	];
	const outcomes = new Map<string, number>();
	for (let round = 0; round < 100; round++) {
		const mutants = originals.map((original) => {
			const mutant = Buffer.from(original);
			for (let changes = 1 + random() * 8; changes > 0; changes--) {
				// Mostly the header, where the numbers are that are believed.
				const reach = random() < 0.8 ? 48 : mutant.length;
				mutant[Math.floor(random() * reach)] = Math.floor(random() * 256);
			}
			return random() < 0.2 ? mutant.subarray(0, Math.floor(random() * mutant.length)) : mutant;
		});
		for (const outcome of await Promise.allSettled(
			mutants.map((mutant) => decodeAudio(mutant, { maxSeconds: 60 })),
		)) {
			const kind =
				outcome.status === 'fulfilled'
					? 'decoded'
					: ((outcome.reason as { code?: string }).code ?? 'no code');
			outcomes.set(kind, (outcomes.get(kind) ?? 0) + 1);
			const samples = outcome.status === 'fulfilled' ? outcome.value.samples : new Float32Array(0);
			expect(samples.every((sample) => Math.abs(sample) <= 1)).toBe(true);
		}
	}
	for (const kind of outcomes.keys()) {
		expect(['decoded', 'audio_unsupported', 'audio_too_long', 'out_of_memory']).toContain(kind);
	}
	expect(outcomes.get('decoded')).toBeGreaterThan(10);
	expect(outcomes.get('audio_unsupported')).toBeGreaterThan(10);
});
