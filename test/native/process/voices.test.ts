/** Enrolled voices, with the real server and processes of their own, and the networks of the tests. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { wavOf } from '../../../src/library/wav.js';
import { VoiceStore } from '../../../src/speakers/voice-store.js';
import { modelFixture, root } from '../../helpers/fixtures.js';
import { ownHeaders, Scratch, type Served, serveModels } from '../../helpers/net/real-server.js';

/** Hz, as in fixtures/lib/voices.mjs. */
const [ann, bob] = [500, 2600];

/** Seconds of one voice each, with half a second of silence before and after. */
function talk(turns: readonly (readonly [hz: number, seconds: number])[]): Buffer {
	const parts = turns.flatMap(([hz, seconds]) => [
		new Float32Array(8000),
		Float32Array.from({ length: seconds * 16_000 }, (_, at) => {
			const loudness = 0.165 + 0.135 * Math.sin((2 * Math.PI * 8 * at) / 16_000);
			return loudness * Math.sin((2 * Math.PI * hz * at) / 16_000);
		}),
	]);
	const samples = Float32Array.from([...parts, new Float32Array(8000)].flatMap((part) => [...part]));
	return Buffer.from(wavOf({ samples, sampleRate: 16_000 }));
}

describe('a server with a diarization model', () => {
	let served: Served;
	beforeAll(async () => {
		const files = { segmentation: 'speakers/segmentation.onnx', embedding: 'speakers/embedding.onnx' };
		const diarization = { name: 'diarization', type: 'diarization', files, options: {} };
		served = await serveModels([modelFixture('zipformer_ctc'), diarization]);
	});
	afterAll(() => served.close());

	const wanted = talk([
		[bob, 5],
		[ann, 5],
		[bob, 4],
	]);

	async function post(
		route: string,
		file: Buffer,
		fields: Record<string, string> = {},
		headers: Record<string, string> = {},
	): Promise<{ status: number; json: unknown }> {
		const body = new FormData();
		body.append('file', new Blob([new Uint8Array(file)]), 'talk.wav');
		for (const [name, value] of Object.entries(fields)) body.append(name, value);
		const response = await fetch(`${served.url}/v1/${route}`, { method: 'POST', body, headers });
		return { status: response.status, json: await response.json() };
	}

	const transcribe = (fields: Record<string, string>) =>
		post('audio/transcriptions', wanted, { response_format: 'diarized_json', ...fields });

	test('names an enrolled voice on request, until it is removed', async () => {
		expect(await post('voices', talk([[ann, 4]]), { name: 'Ann' }, ownHeaders)).toMatchObject({
			status: 200,
			json: { object: 'voice', name: 'Ann' },
		});
		for (const known_speakers of ['all', 'Ann'])
			expect((await transcribe({ known_speakers })).json).toMatchObject({ text: 'A: d\nAnn: a\nA: d' });
		expect((await transcribe({})).json).toMatchObject({ text: 'A: d\nB: a\nA: d' });
		expect((await post('voices/identify', wanted)).json).toMatchObject({
			data: [
				{ speaker: 'A', name: null, turns: [{}, {}] },
				{ speaker: 'Ann', name: 'Ann', turns: [{}] },
			],
		});
		const url = `${served.url}/v1/voices/Ann`;
		expect((await fetch(url, { method: 'DELETE', headers: ownHeaders })).status).toBe(200);
		expect((await transcribe({ known_speakers: 'all' })).json).toMatchObject({ text: 'A: d\nB: a\nA: d' });
		expect(await transcribe({ known_speakers: 'Ann' })).toMatchObject({
			status: 404,
			json: { error: { param: 'known_speakers' } },
		});
	});
});

/** Enrols `Ann` in a folder, and stops half way through the file, for as long as the process runs. */
const halfWriter = `
	import { open } from 'node:fs/promises';
	const probe = await open(process.execPath);
	const handle = Object.getPrototypeOf(probe);
	await probe.close();
	const { writeFile } = handle;
	handle.writeFile = async function (text) {
		await writeFile.call(this, text.slice(0, text.length / 2));
		process.stdout.write('half');
		await new Promise((resolve) => setTimeout(resolve, 1e9));
	};
	const { VoiceStore } = await import(process.argv[1]);
	const voice = { name: 'Ann', voice: [0.6, 0.8], fingerprint: 'net', seconds: 4, created: 2 };
	await new VoiceStore(process.argv[2]).add(voice);
`;

describe('a voice whose writer is killed half way', () => {
	const voiceOf = (name: string) => ({ name, voice: [0.6, 0.8], fingerprint: 'net', seconds: 4, created: 1 });

	async function halfWritten(folder: string): Promise<ChildProcess> {
		const script = pathToFileURL(path.join(root, 'dist', 'speakers', 'voice-store.js')).href;
		const args = ['--input-type=module', '-e', halfWriter, script, folder];
		const writer = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
		await once(writer.stdout, 'data');
		return writer;
	}

	async function killedWriter(folder: string): Promise<void> {
		const writer = await halfWritten(folder);
		writer.kill('SIGKILL');
		await once(writer, 'close');
	}

	test.each<[string, (store: VoiceStore) => Promise<unknown>, string[]]>([
		['is removed with its name', (store) => store.remove('Ann'), []],
		['is cleared away with the next that is removed', (store) => store.remove('Bob'), []],
		['makes way for another try', (store) => store.add(voiceOf('Ann')), ['Ann']],
		['is cleared away with the next that is added', (store) => store.add(voiceOf('Bob')), ['Bob']],
	])('is none, and %s', async (_, next, left) => {
		using scratch = new Scratch();
		const folder = path.join(scratch.path, 'voices');
		const store = new VoiceStore(folder);
		await killedWriter(folder);
		expect(readdirSync(folder)).toHaveLength(1);
		expect(await store.list()).toEqual([]);
		expect(await store.find('Ann')).toBeUndefined();
		await next(store);
		expect((await store.list()).map(({ name }) => name)).toEqual(left);
		expect(readdirSync(folder)).toHaveLength(left.length);
	});

	test('leaves the voice of that name as it was', async () => {
		using scratch = new Scratch();
		const folder = path.join(scratch.path, 'voices');
		const store = new VoiceStore(folder);
		await store.add(voiceOf('Ann'));
		await killedWriter(folder);
		expect(await store.list()).toEqual([voiceOf('Ann')]);
	});

	test('leaves alone what a running process is about to finish', async () => {
		using scratch = new Scratch();
		const folder = path.join(scratch.path, 'voices');
		const writer = await halfWritten(folder);
		onTestFinished(() => void writer.kill('SIGKILL'));
		const store = new VoiceStore(folder);
		expect(await store.remove('Ann')).toBe(false);
		await store.add(voiceOf('Bob'));
		expect(readdirSync(folder)).toHaveLength(2);
	});
});
