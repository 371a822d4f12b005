import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTranscriber, type EarshotTranscriber, type ListenEvent } from '../../../src/index.js';
import { samplesOf } from '../../helpers/fixtures.js';
import { modelsYaml, Scratch } from '../../helpers/net/real-server.js';

const scratch = new Scratch();
const config = scratch.file('models.yaml', modelsYaml('zipformer_ctc'));
afterAll(() => scratch[Symbol.dispose]());

function pcmOf(recording: string): Buffer {
	return Buffer.from(Int16Array.from(samplesOf(recording), (sample) => Math.round(sample * 32_767)).buffer);
}

const silence = (seconds: number) => Buffer.alloc(seconds * 32_000);

async function completedOf(events: AsyncIterable<ListenEvent>): Promise<string[]> {
	const texts: string[] = [];
	for await (const event of events) if (event.type === 'completed') texts.push(event.text);
	return texts;
}

describe.each([
	['in this process', false],
	['in a runner', true],
])('a model %s', (_, isolated) => {
	let earshot: EarshotTranscriber;
	beforeAll(async () => {
		earshot = await createTranscriber({ config, isolated });
	});
	afterAll(() => earshot.close());

	it('transcribes audio as it is written, turn by turn, and the last turn at the end', async () => {
		const listening = earshot.listen();
		const audio = Buffer.concat([silence(1), pcmOf('tones-abc'), silence(1.5), pcmOf('tones-edcba')]);
		const texts = completedOf(listening);
		for (let at = 0; at < audio.length; at += 4801) await listening.write(audio.subarray(at, at + 4801));
		listening.end();
		expect(await texts).toEqual(['a b c', 'e d c b a']);
		await expect(listening.write(silence(1))).rejects.toMatchObject({ code: 'closed' });
	});

	it('transcribes turns that the program ends itself', async () => {
		await using listening = earshot.listen({ turns: null });
		const texts = completedOf(listening);
		for (const recording of ['tones-abc', 'tones-edcba']) {
			await listening.write(pcmOf(recording));
			listening.commit();
		}
		listening.end();
		expect(await texts).toEqual(['a b c', 'e d c b a']);
	});

	it('refuses options that it does not know', () => {
		expect(() => earshot.listen({ sampleRate: 1 })).toThrow(expect.objectContaining({ param: 'sampleRate' }));
	});
});

it.each([false, true])('a model that is closed ends what listens to it (isolated: %s)', async (isolated) => {
	const earshot = await createTranscriber({ config, isolated });
	const listening = earshot.listen();
	await listening.write(silence(1));
	const texts = completedOf(listening);
	await Promise.all([expect(texts).rejects.toMatchObject({ code: 'closed' }), earshot.close()]);
	expect(() => earshot.listen()).toThrow(expect.objectContaining({ code: 'closed' }));
});
