import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { speakerOptionsOfJob } from '../../../../src/server/job-worker/known-voices.js';
import { VoiceStore } from '../../../../src/speakers/voice-store.js';

const ada = { name: 'Ada', reference: { voice: [0.6, 0.8], fingerprint: 'net' } };

function noVoices(): VoiceStore {
	const folder = mkdtempSync(path.join(tmpdir(), 'earshot-test-'));
	onTestFinished(() => rmSync(folder, { recursive: true }));
	return new VoiceStore(folder);
}

const request = { enrolled: ['Ada'], options: { known: [] }, param: 'diarize' } as never;

test('a worker without enrolled voices knows those that the job carries', async () => {
	expect((await speakerOptionsOfJob(request, [ada], noVoices())).known).toEqual([ada]);
	expect((await speakerOptionsOfJob(null, undefined, noVoices())).known).toEqual([]);
});

test('a job of an earlier version takes those of the worker, and says which it lacks', async () => {
	await expect(speakerOptionsOfJob(request, undefined, noVoices())).rejects.toMatchObject({
		code: 'not_found',
		param: 'known_speakers',
	});
});
