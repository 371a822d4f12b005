import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { findSherpaLibrary } from '../../src/addon/libraries.js';
import { decoder } from '../../src/audio/decode.js';
import type { FoundSpeakers, SpeakerOptions } from '../../src/core/speech/speakers.js';
import { loadSpeakerNetworks, type SpeakerNetworks } from '../../src/diarization/networks.js';
import { type DiarizationParts, diarizeRecording } from '../../src/diarization/recording.js';
import { Semaphore } from '../../src/diarization/semaphore.js';
import { createTranscriber, type DiarizeOptions } from '../../src/index.js';
import { wavOf } from '../../src/library/wav.js';
import { errorsOf, rateOf, type Turn } from '../accuracy/diarization/error-rate.mjs';

const folder = fileURLToPath(new URL('../../fixtures/generated/speakers', import.meta.url));
const segmentation = path.join(folder, 'segmentation.onnx');
const embedding = path.join(folder, 'embedding.onnx');
const libraryDir = findSherpaLibrary(undefined);
/** As in fixtures/lib/voices.mjs. */
const tones = [500, 1200, 2600];

function talk(turns: readonly Turn[], seconds: number): Uint8Array {
	const samples = new Float32Array(seconds * 16_000);
	for (const { start, end, speaker } of turns)
		for (let at = Math.round(start * 16_000); at < end * 16_000; at++) {
			const loudness = 0.165 + 0.135 * Math.sin((2 * Math.PI * 8 * at) / 16_000);
			const wave = Math.sin((2 * Math.PI * (tones[Number(speaker)] ?? 0) * at) / 16_000);
			samples[at] = (samples[at] ?? 0) + loudness * wave;
		}
	return wavOf({ samples, sampleRate: 16_000 });
}

const turn = (start: number, end: number, speaker: number): Turn => ({ start, end, speaker });
const three = [turn(0.5, 5, 0), turn(5.5, 11, 1), turn(10, 16, 2), turn(17, 22, 0), turn(23, 29, 1)];

let networks: SpeakerNetworks;
let parts: DiarizationParts;

beforeAll(async () => {
	networks = await loadSpeakerNetworks({ segmentation, embedding, libraryDir, threads: 1 });
	parts = {
		networks,
		openAudio: decoder({ maxAudioSeconds: 600 }),
		threshold: 0.33,
		semaphore: new Semaphore(1),
	};
});

afterAll(() => networks.close());

async function found(bytes: Uint8Array, options: SpeakerOptions = { known: [] }): Promise<FoundSpeakers> {
	for await (const event of diarizeRecording(parts, { bytes }, options, new AbortController().signal))
		if (event.type === 'speakers') return event.found;
	throw new Error('no speakers');
}

describe('a recording of three voices', () => {
	test('has an error rate below five percent', async () => {
		const { turns, speakers } = await found(talk(three, 30));
		expect(speakers).toHaveLength(3);
		expect(rateOf(errorsOf(three, [...turns]))).toBeLessThan(5);
	});

	test('names the known speakers, and no others', async () => {
		const known = [1, 2].map((speaker) => ({
			name: ['Ann', 'Bob', 'Eve'][speaker] ?? '',
			reference: { bytes: talk([turn(0, 3, speaker)], 3) },
		}));
		const { speakers } = await found(talk(three.slice(0, 2), 12), { known });
		expect(speakers.map(({ name }) => name)).toEqual([null, 'Bob']);
	});

	test.each([
		['too short', talk([turn(0, 1, 0)], 1), /between 1.2 and 10.0 seconds/],
		['too long', talk([turn(0, 11, 0)], 11), /between 1.2 and 10.0 seconds/],
		['silent', talk([], 3), /no speech was detected/],
		['no recording', Buffer.from('no recording at all'), /cannot be used/],
	])('refuses a reference that is %s, naming the field', async (_, bytes, message) => {
		const known = [{ name: 'Ann', reference: { bytes }, param: 'known_speaker_references' }];
		await expect(found(talk(three, 30), { known })).rejects.toMatchObject({
			message: expect.stringMatching(message),
			param: 'known_speaker_references',
		});
	});

	test('stops reading a reference at its maximum length', async () => {
		let seconds = 0;
		const openAudio: typeof parts.openAudio = (recording) => {
			const reader = parts.openAudio(recording);
			const { read } = reader;
			reader.read = async (into) => {
				const count = await read(into);
				seconds += count / 16_000;
				return count;
			};
			return reader;
		};
		const known = [{ name: 'Ann', reference: { bytes: talk(three, 60) }, param: 'known_speaker_references' }];
		const events = diarizeRecording(
			{ ...parts, openAudio },
			{ bytes: talk(three, 30) },
			{ known },
			new AbortController().signal,
		);
		await expect(events.next()).rejects.toThrow('got more than 10 seconds');
		expect(seconds).toBeLessThan(20);
	});

	test('refuses a voice of another network where it is named, and leaves it out where all are', async () => {
		const reference = { voice: [1], fingerprint: 'another' };
		const named = { known: [{ name: 'Ann', reference, param: 'known_speakers' }] };
		await expect(found(talk(three, 30), named)).rejects.toThrow('enrol it again');
		const { speakers } = await found(talk(three, 30), { known: [{ name: 'Ann', reference }] });
		expect(speakers.map(({ name }) => name)).toEqual([null, null, null]);
	});
});

test('a recording that its consumer leaves early frees its slot', async () => {
	const { signal } = new AbortController();
	for await (const event of diarizeRecording(parts, { bytes: talk(three, 30) }, { known: [] }, signal))
		if (event.type === 'started') break;
	expect((await found(talk(three.slice(0, 1), 6))).speakers).toHaveLength(1);
});

describe('a file that is not such a network is refused by its role', () => {
	test.each<[string, () => Buffer]>([
		['nothing', () => Buffer.alloc(0)],
		['no ONNX', () => Buffer.from('x'.repeat(1000))],
		['half of it', () => readFileSync(segmentation).subarray(0, 3000)],
		['the other network', () => readFileSync(embedding)],
	])('%s', async (_, content) => {
		const place = mkdtempSync(path.join(tmpdir(), 'earshot-networks-'));
		onTestFinished(() => rmSync(place, { recursive: true, force: true }));
		const file = path.join(place, 'network.onnx');
		writeFileSync(file, content());
		await expect(
			loadSpeakerNetworks({ segmentation: file, embedding, libraryDir, threads: 1 }),
		).rejects.toMatchObject({
			code: 'model_load_failed',
			message: expect.stringContaining('`segmentation`'),
		});
	});
});

describe('the library', () => {
	async function arrange(isolated: boolean) {
		const place = mkdtempSync(path.join(tmpdir(), 'earshot-speakers-'));
		const config = path.join(place, 'models.yaml');
		const files = { segmentation, embedding };
		writeFileSync(config, JSON.stringify({ models: { diarization: { type: 'diarization', files } } }));
		const transcriber = await createTranscriber({ model: 'demo-digits', config, isolated });
		onTestFinished(async () => {
			await transcriber.close();
			rmSync(place, { recursive: true, force: true });
		});
		return transcriber;
	}

	test.each([false, true])('says who speaks when; isolated: %s', async (isolated) => {
		const { turns, duration } = await (await arrange(isolated)).diarize(talk(three, 30));
		expect(duration).toBe(30);
		expect(turns.map(({ speaker }) => speaker)).toEqual(['A', 'B', 'C', 'A', 'B']);
	});

	describe('at the edge invents no speaker', () => {
		const seconds = (count: number) => new Float32Array(Math.round(count * 16_000));
		let state = 1;
		const noise = seconds(12).map(() => {
			state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
			return (state / 2 ** 32 - 0.5) * 0.1;
		});
		const one = talk([turn(0.5, 9, 0)], 12);

		test.each<[string, Uint8Array | Float32Array, DiarizeOptions, string[]]>([
			['in 0.3 s of silence', seconds(0.3), {}, []],
			['in silence', seconds(30), {}, []],
			['in noise', noise, {}, []],
			['where no sample is a number', seconds(12).fill(Number.NaN), {}, []],
			['where samples are without bounds', seconds(12).fill(Number.POSITIVE_INFINITY), {}, []],
			['in 0.3 s of one', talk([turn(0, 0.3, 0)], 1).slice(0, 44 + 0.3 * 64_000), {}, ['A']],
			['beside one', one, {}, ['A']],
			['beside one, where 40 are expected', one, { numSpeakers: 40 }, ['A']],
			['beside one, where at least 100 are', one, { minSpeakers: 100 }, ['A']],
			['of two, where one is expected', talk([turn(0, 5, 0), turn(5, 10, 1)], 10), { maxSpeakers: 1 }, ['A']],
		])('%s', async (_, audio, options, people) => {
			const transcriber = await arrange(false);
			const source = audio instanceof Float32Array ? { samples: audio, sampleRate: 16_000 } : audio;
			const { turns, duration } = await transcriber.diarize(source, options);
			expect([...new Set(turns.map(({ speaker }) => speaker))]).toEqual(people);
			for (const { start, end } of turns) {
				expect(start).toBeLessThan(end);
				expect(end).toBeLessThanOrEqual(duration);
			}
			const { segments } = await transcriber.transcribe(source, { ...options, diarize: true });
			for (const { speaker } of segments) if (people.length > 0) expect(people).toContain(speaker);
		});

		test.each([
			['nothing', Buffer.alloc(0), 'audio_unsupported'],
			['a head alone', wavOf({ samples: seconds(0), sampleRate: 16_000 }), 'audio_unsupported'],
			['no recording', Buffer.from('no recording at all'), 'audio_unsupported'],
		])('refuses %s', async (_, bytes, code) => {
			const transcriber = await arrange(false);
			await expect(transcriber.diarize(bytes)).rejects.toMatchObject({ code });
			await expect(transcriber.transcribe(bytes, { diarize: true })).rejects.toMatchObject({ code });
		});
	});

	test('refuses what a diarization model cannot do, and zero speakers', async () => {
		const transcriber = await arrange(false);
		await expect(transcriber.diarize(talk(three, 30), { numSpeakers: 0 })).rejects.toMatchObject({
			code: 'invalid_request',
			param: 'numSpeakers',
		});
		await expect(
			transcriber.diarize(talk(three, 30), { minSpeakers: 3, maxSpeakers: 2 }),
		).rejects.toMatchObject({ code: 'invalid_request', param: 'maxSpeakers' });
		await expect(transcriber.transcribe(talk(three, 30), { numSpeakers: 2 })).rejects.toMatchObject({
			code: 'unsupported_value',
			param: 'numSpeakers',
		});
	});
});
