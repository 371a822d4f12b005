/** Memory that its owner takes away, shrinks or changes while a thread of the addon would read it. */

import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { audioPath } from '../../helpers/fixtures.js';
import { inChild, tonesModel, whisperClip } from '../addon.js';

/** What runs in the child before each case. */
const prelude = `
	const { readFileSync } = require('node:fs');
	const [path, clip, file, way] = values;
	const take = {
		nothing: (array) => array,
		transferred: (array) => structuredClone(array.buffer, { transfer: [array.buffer] }),
		'sent to a thread that ends': (array) =>
			new Worker('process.exit()', { eval: true }).postMessage(array.buffer, [array.buffer]),
		shrunk: (array) => array.buffer.resize(0),
		overwritten: (array) => array.fill(0),
	}[way];
	const resizable = (length) => new ArrayBuffer(length, { maxByteLength: length });`;

const ways = ['transferred', 'sent to a thread that ends', 'shrunk', 'overwritten'] as const;

/** The text of the recording, whose samples are handed over and then taken away in that way. */
const samples = `${prelude}
	const reader = addon.openAudio(file, { maxSeconds: 60 });
	await reader.open();
	const into = new Float32Array(16_000 * 4);
	const { count } = await reader.read(into);
	const model = await addon.loadWhisper({ path, slots: 1, maxThreads: 1, useGpu: false, gpuDevice: 0, alignmentHeads: [] });
	const given = new Float32Array(resizable(count * 4));
	given.set(into.subarray(0, count));
	const result = model.transcribe(given, clip);
	take(given);
	console.log(Buffer.from((await result).bytes).toString().trim());`;

/** How many samples come of a recording in memory that is taken away when its reader has been made. */
const bytes = `${prelude}
	const recorded = readFileSync(file);
	const given = new Uint8Array(resizable(recorded.length));
	given.set(recorded);
	const reader = addon.openAudio(given, { maxSeconds: 60 });
	take(given);
	await reader.open();
	const { count } = await reader.read(new Float32Array(16_000 * 60));
	console.log(count > 16_000, count);`;

describe('the addon', () => {
	test.each(ways)('transcribes samples that are %s while it works, as they were', async (way) => {
		const run = (how: string) => inChild(samples, tonesModel, whisperClip, audioPath('tones-abc'), how);
		expect(await run(way)).toMatchObject({
			code: 0,
			signal: null,
			stdout: (await run('nothing')).stdout,
		});
	});

	test.each(ways)('reads a recording whose bytes are %s, as it was', async (way) => {
		const file = audioPath('tones-abc');
		const seconds = (readFileSync(file).length - 44) / 2 / 16_000;
		const { code, signal, stdout } = await inChild(bytes, tonesModel, whisperClip, file, way);
		expect({ code, signal, stdout }).toEqual({
			code: 0,
			signal: null,
			stdout: `true ${Math.round(seconds * 16_000)}`,
		});
	});

	test('never writes into an array that was taken away while it read into it', async () => {
		const body = `${prelude}
			for (const give of ['transferred', 'shrunk']) {
				const reader = addon.openAudio(file, { maxSeconds: 60 });
				await reader.open();
				const into = new Float32Array(resizable(64_000));
				const reading = reader.read(into);
				if (give === 'shrunk') into.buffer.resize(8);
				else structuredClone(into.buffer, { transfer: [into.buffer] });
				await reading.then(() => console.log('read'), (error) => console.log(error.code, error.message));
			}`;
		const { code, signal, stdout } = await inChild(body, '', whisperClip, audioPath('tones-abc'), 'nothing');
		const refused = 'invalid_argument Expected `into` to keep its length while it is read into';
		expect({ code, signal, stdout }).toEqual({ code: 0, signal: null, stdout: `${refused}\n${refused}` });
	});
});
