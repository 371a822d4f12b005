/** What waits for a slot is run together: real engines over real HTTP. */

import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { audioPath } from '../helpers/fixtures.js';
import { type Served, serveFixtures } from '../helpers/net/real-server.js';

let served: Served;
beforeAll(async () => {
	served = await serveFixtures();
});
afterAll(() => served.close());

async function transcribe(): Promise<string> {
	const form = new FormData();
	form.append('file', new Blob([readFileSync(audioPath('tones-a'))]), 'a.wav');
	form.append('model', 'slow');
	const answer = await fetch(`${served.url}/v1/audio/transcriptions`, { method: 'POST', body: form });
	const { text } = (await answer.json()) as { text: string };
	return text;
}

async function figure(name: string): Promise<number> {
	const text = await (await fetch(`${served.url}/metrics`)).text();
	return Number(new RegExp(`^earshot_${name}\\{model="slow"\\} (\\S+)$`, 'm').exec(text)?.[1]);
}

it('sixteen clients of a busy model share its batches, and each gets its own text', async () => {
	const texts = await Promise.all(Array.from({ length: 16 }, transcribe));
	expect(texts).toEqual(Array.from({ length: 16 }, () => 'a'));
	// A host tells of its last batch a moment later.
	await expect.poll(() => figure('batch_clips_sum')).toBe(16);
	expect(await figure('batch_clips_count')).toBeLessThan(12);
	expect(await figure('audio_seconds_total')).toBeGreaterThan(0);
}, 60_000);
