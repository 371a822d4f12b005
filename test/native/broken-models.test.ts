/** Broken models through real hosts: the server names the trouble, no host dies of it, and the others go on. */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { brokenModels } from '../helpers/files/corrupt-models.js';
import { audioPath } from '../helpers/fixtures.js';
import { Scratch, type Served, serveModels } from '../helpers/net/real-server.js';

const scratch = new Scratch();
const all = [...brokenModels(scratch.path)];
/** Every case takes a process: all of them with EARSHOT_TEST_ALL=1, else one for each family, each of another kind. */
const kinds = [...new Set(all.map(({ trouble }) => trouble))];
const families = [...new Set(all.map(({ model }) => model))];
const tried =
	process.env.EARSHOT_TEST_ALL === '1'
		? all
		: families.map((family, index) => {
				const cases = all.filter(({ model }) => model === family);
				return cases.findLast(({ trouble }) => trouble === kinds[index % kinds.length]) ?? cases[0]!;
			});

let served: Served;
beforeAll(async () => {
	served = await serveModels([
		{ name: 'whole', type: 'zipformer_ctc', files: wholeFiles(), options: {} },
		{ name: 'device', type: 'whisper_cpp', files: { model: '/dev/zero' }, options: {} },
		...tried.map(({ name, type, files, model }) => ({
			name: idOf(name),
			type,
			files,
			options: type === model.type ? model.options : {},
		})),
	]);
});
afterAll(async () => {
	await served.close();
	scratch[Symbol.dispose]();
});

function wholeFiles(): Record<string, string> {
	const folder = path.join(path.dirname(audioPath('x')), '..', 'sherpa', 'zipformer_ctc');
	return { model: path.join(folder, 'model.onnx'), tokens: path.join(folder, 'tokens.txt') };
}

const idOf = (name: string) => name.replaceAll(' ', '-');

async function post(
	model: string,
): Promise<{ status: number; text?: string; error?: { code: string; message: string } }> {
	const form = new FormData();
	form.append('file', new Blob([readFileSync(audioPath('tones-abc'))]), 'a.wav');
	form.append('model', model);
	const response = await fetch(`${served.url}/v1/audio/transcriptions`, { method: 'POST', body: form });
	return { status: response.status, ...((await response.json()) as object) };
}

describe('a runner with a broken model', () => {
	it.each(tried.map(({ name, names }) => [name, names] as const))(
		'%s: says what is wrong and lives',
		async (name, names) => {
			const { status, error } = await post(idOf(name));
			expect([status, error?.code]).toEqual([500, 'model_load_failed']);
			expect(error?.message).toContain(names);
			expect(error?.message).not.toMatch(/exit|signal/i);
		},
	);

	it('leaves the others alone', async () => {
		expect(await post('whole')).toMatchObject({ status: 200, text: 'a b c' });
	});

	it.skipIf(process.platform === 'win32')('that is a device: says so instead of reading it', async () => {
		expect(await post('device')).toMatchObject({
			status: 500,
			error: { code: 'model_load_failed', message: expect.stringContaining('neither a file nor a folder') },
		});
	});
});
