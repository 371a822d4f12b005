/** Wyoming over the real addon: what is said is heard as in a recording. */

import { kill } from 'node:process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { modelFixture, samplesOf } from '../../helpers/fixtures.js';
import { type Served, serveFixtures } from '../../helpers/net/real-server.js';
import { WyomingClient, type WyomingMessage } from '../../helpers/net/wyoming.js';
import { settled } from '../../helpers/scripted-engine.js';

let served: Served;
beforeAll(async () => {
	served = await serveFixtures();
});
afterAll(() => served.close());

function pcmOf(recording: string): Buffer {
	const samples = Int16Array.from(samplesOf(recording), (sample) => Math.round(sample * 32_767));
	return Buffer.from(samples.buffer);
}

/** Events up to the next of a type. */
async function upTo(client: WyomingClient, type: string): Promise<WyomingMessage[]> {
	const events: WyomingMessage[] = [];
	do events.push(await client.next());
	while (events.at(-1)!.type !== type);
	return events;
}

/** Speaks on and on until words are told: how many are told at once is decided by what else runs. */
async function speakUntilHeard(client: WyomingClient): Promise<void> {
	const pcm = pcmOf('tones-deadbead');
	for (let at = 0; !client.events.some(({ type }) => type === 'transcript-chunk'); at += 3200) {
		client.chunk(pcm.subarray(at % pcm.length, (at % pcm.length) + 3200));
		await settled();
	}
}

describe.each(['tones', 'zipformer_ctc', 'streaming_zipformer_ctc'])('%s, over Wyoming', (name) => {
	it.each([320, 2048, 4801, 1 << 20])('gives the text of the recording, in chunks of %i', async (size) => {
		const client = await WyomingClient.open(served.server.wyomingAddress!.port);
		for (const recording of ['tones-deadbead', 'silence', 'tones-abc']) {
			client.send('transcribe', { name });
			client.start();
			const pcm = pcmOf(recording);
			for (let at = 0; at < pcm.length; at += size) client.chunk(pcm.subarray(at, at + size));
			client.send('audio-stop');
			const events = await upTo(client, 'transcript-stop');
			const text = events.find(({ type }) => type === 'transcript')?.data.text;
			expect(text).toBe(modelFixture(name).expectedTexts[recording] ?? '');
			const chunks = events.filter(({ type }) => type === 'transcript-chunk');
			expect(chunks.map(({ data }) => data.text).join('')).toBe(text);
		}
	});
});

it('sends words over Wyoming during speech', async () => {
	const client = await WyomingClient.open(served.server.wyomingAddress!.port);
	client.send('transcribe', { name: 'streaming_zipformer_ctc' });
	await speakUntilHeard(client);
	expect(client.events.map(({ type }) => type)).not.toContain('transcript');
	client.send('audio-stop');
	const events = await upTo(client, 'transcript-stop');
	expect(events.filter(({ type }) => type === 'transcript')).toHaveLength(1);
});

it('a killed process fails its utterance over Wyoming, and the next utterance is transcribed', async () => {
	const port = served.server.wyomingAddress!.port;
	const client = await WyomingClient.open(port);
	client.send('transcribe', { name: 'streaming_zipformer_ctc' });
	await speakUntilHeard(client);
	const { pid } = served.pool.models.find(({ id }) => id === 'streaming_zipformer_ctc')!;
	kill(pid!, 'SIGKILL');
	const failed = (await upTo(client, 'error')).at(-1);
	expect(failed!.data.code).toBe('engine_failed');
	await client.ended;
	const next = await WyomingClient.open(port);
	next.send('transcribe', { name: 'streaming_zipformer_ctc' });
	next.chunk(pcmOf('tones-abc'));
	next.send('audio-stop');
	const events = await upTo(next, 'transcript');
	expect(events.at(-1)!.data.text).toBe(modelFixture('streaming_zipformer_ctc').expectedTexts['tones-abc']);
});
