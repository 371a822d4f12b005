/** What programs may give as a recording, and that they may do with their memory what they like afterwards. */

import { createReadStream, openAsBlob, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import vm from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTranscriber, type EarshotTranscriber, type Source } from '../../../src/index.js';
import { audioPath } from '../../helpers/fixtures.js';
import { modelsYaml, Scratch } from '../../helpers/net/real-server.js';

const scratch = new Scratch();
const config = scratch.file('models.yaml', modelsYaml('zipformer_ctc'));
afterAll(() => scratch[Symbol.dispose]());

const file = audioPath('tones-abc');
const bytes = () => new Uint8Array(readFileSync(file));
const pcm = (sampleRate = 16_000) => {
	const data = bytes();
	const values = new Int16Array(data.buffer.slice(44));
	return { samples: Float32Array.from(values, (value) => value / 32_768), sampleRate };
};
const other = <T>(code: string, given: object): T => vm.runInNewContext(code, given) as T;

/** A WAV file of many megabytes: silence after the tones. */
const long = (): Uint8Array => {
	const wav = new Uint8Array(20 * 2 ** 20);
	wav.set(bytes());
	const view = new DataView(wav.buffer);
	view.setUint32(4, wav.length - 8, true);
	view.setUint32(40, wav.length - 44, true);
	return wav;
};
const spools = () =>
	readdirSync(tmpdir()).filter((name) => name.startsWith('earshot-') && name.includes(`-${process.pid}-`));

async function* pieces(data: Uint8Array, size = 1000): AsyncGenerator<Uint8Array> {
	const buffer = new Uint8Array(size);
	for (let at = 0; at < data.length; at += size) {
		const piece = data.subarray(at, at + size);
		buffer.set(piece);
		// The same memory each time, as some streams do.
		yield buffer.subarray(0, piece.length);
	}
}

describe.each([
	['in this process', false],
	['in a runner', true],
])('a recording for a model %s', (_, isolated) => {
	let earshot: EarshotTranscriber;
	beforeAll(async () => {
		earshot = await createTranscriber({ config, isolated });
	});
	afterAll(() => earshot.close());
	const textOf = async (source: Source) => (await earshot.transcribe(source)).text;

	it.each<[string, () => Source | Promise<Source>]>([
		['a path', () => file],
		['the URL of a file', () => pathToFileURL(file)],
		['a URL of another realm', () => other('new URL_(url)', { URL_: URL, url: pathToFileURL(file).href })],
		['bytes', bytes],
		['a Buffer', () => readFileSync(file)],
		['an ArrayBuffer', () => bytes().buffer],
		[
			'a SharedArrayBuffer',
			() => {
				const shared = new SharedArrayBuffer(bytes().length);
				new Uint8Array(shared).set(bytes());
				return shared;
			},
		],
		['bytes of another realm', () => other('Uint8Array.from(data)', { data: bytes() })],
		['an ArrayBuffer of another realm', () => other('Uint8Array.from(data).buffer', { data: bytes() })],
		['samples', pcm],
		[
			'samples of another realm',
			() => ({
				...pcm(),
				samples: other<Float32Array>('Float32Array.from(data)', { data: pcm().samples }),
			}),
		],
		['a Blob', () => new Blob([bytes()])],
		['a File', () => new File([bytes()], 'a.wav')],
		['a Blob that lies on the disk', () => openAsBlob(file)],
		['a stream of Node’s', () => createReadStream(file)],
		['a stream of the web', () => Readable.toWeb(createReadStream(file)) as ReadableStream<Uint8Array>],
		['the body of a response', () => new Response(bytes()).body as ReadableStream<Uint8Array>],
		['a generator', () => pieces(bytes())],
	])('may be %s', async (_, source) => {
		expect(await textOf(await source())).toBe('a b c');
	});

	it.each<[string, (array: Uint8Array) => void]>([
		['transferred', (array) => structuredClone(array.buffer, { transfer: [array.buffer as ArrayBuffer] })],
		['overwritten', (array) => array.fill(0)],
		['made smaller', (array) => (array.buffer as ArrayBuffer & { resize(to: number): void }).resize(0)],
	])('may be %s right after the call', async (_, take) => {
		const buffer = new (ArrayBuffer as unknown as new (size: number, options: object) => ArrayBuffer)(
			bytes().length,
			{ maxByteLength: bytes().length },
		);
		const array = new Uint8Array(buffer);
		array.set(bytes());
		const whole = textOf(array);
		take(array);
		expect(await whole).toBe('a b c');
	});

	it('may be samples of another rate, which are resampled', async () => {
		const { samples } = pcm();
		const twice = new Float32Array(samples.length * 2);
		for (const [index, sample] of samples.entries()) twice.fill(sample, 2 * index, 2 * index + 2);
		const transcript = await earshot.transcribe({ samples: twice, sampleRate: 32_000 });
		expect(transcript.text).toBe('a b c');
		expect(transcript.duration).toBeCloseTo(samples.length / 16_000, 2);
	});

	it('may be a long stream, which leaves no file behind', async () => {
		const before = spools();
		expect(await textOf(new Blob([long()]))).toBe('a b c');
		expect(await textOf(pieces(long(), 100_000))).toBe('a b c');
		expect(spools()).toEqual(before);
	});

	it('leaves no file behind when its stream fails, or the caller goes away', async () => {
		const before = spools();
		const failing = async function* () {
			yield* pieces(long(), 100_000);
			throw new Error('the line is dead');
		};
		await expect(textOf(failing())).rejects.toMatchObject({
			code: 'audio_unsupported',
			param: 'source',
			message: 'the stream of the recording failed: the line is dead',
		});
		const gone = new AbortController();
		const endless = async function* () {
			for (;;) {
				yield* pieces(long(), 100_000);
				gone.abort();
			}
		};
		await expect(earshot.transcribe(endless(), {}, { signal: gone.signal })).rejects.toMatchObject({
			code: 'cancelled',
		});
		expect(spools()).toEqual(before);
	});

	it.each<[string, unknown, string, string]>([
		['a number', 7, 'source', 'got `7`'],
		['nothing', undefined, 'source', 'got nothing'],
		['null', null, 'source', 'got `null`'],
		['an object', { path: 'a.wav' }, 'source', 'got `{"path":"a.wav"}`'],
		['a revoked proxy', revoked(), 'source', 'got an object'],
		[
			'samples without their rate',
			new Float32Array(10),
			'source',
			'samples need their rate, got a Float32Array',
		],
		['doubles', new Float64Array(1e7), 'source', 'got a Float64Array'],
		[
			'doubles for samples',
			{ samples: new Float64Array(10), sampleRate: 16_000 },
			'source.samples',
			'a Float32Array',
		],
		[
			'a rate of a million',
			{ samples: new Float32Array(10), sampleRate: 1e6 },
			'source.sampleRate',
			'from 4000 to 768000',
		],
		['no rate', { samples: new Float32Array(10) }, 'source.sampleRate', 'got nothing'],
		['a URL of the web', new URL('https://example.com/a.wav'), 'source', 'give `(await fetch(url)).body`'],
		[
			'a URL of another machine',
			new URL('file://elsewhere/a%00.wav'),
			'source',
			'a `file:` URL of this machine',
		],
		['a stream of text', Readable.from(['abc']), 'source', 'a stream of bytes'],
	])('is refused when it is %s', async (_, source, param, message) => {
		await expect(textOf(source as Source)).rejects.toMatchObject({
			code: 'invalid_request',
			param,
			message: expect.stringContaining(message),
		});
	});

	it.each([
		['https://example.com/a.wav', 'give `(await fetch(url)).body`'],
		['file:///tmp/a.wav', 'a text is a path: give `new URL(text)`'],
	])('says where the path %s leads', async (source, hint) => {
		await expect(textOf(source)).rejects.toMatchObject({
			code: 'audio_unsupported',
			message: expect.stringContaining(hint),
		});
	});

	it('may be a file whose path is that of a URL with blanks', async () => {
		const odd = path.join(scratch.path, 'a b#c.wav');
		writeFileSync(odd, bytes());
		expect(await textOf(pathToFileURL(odd))).toBe('a b c');
	});
});

function revoked(): object {
	const { proxy, revoke } = Proxy.revocable({}, {});
	revoke();
	return proxy;
}
