import { describe, expect, it } from 'vitest';
import { finished } from '../../../src/core/speech/assemble.js';
import type { ModelEntry } from '../../../src/models/registry/entry.js';
import { runPipeline } from '../../../src/pipeline/pipeline.js';
import { loadModel } from '../../../src/runner/child/load-model.js';
import { audioPath, filesOf, loudnessDetector, modelFixture } from '../../helpers/fixtures.js';
import { Scratch } from '../../helpers/net/real-server.js';
import { plainTranscription } from '../../helpers/options.js';
import { testSettings } from '../../helpers/settings.js';

const options = { ...plainTranscription, language: 'en' };

function load(name: string, sherpaDir: string) {
	const fixture = modelFixture(name);
	const entry = {
		id: name,
		type: fixture.type,
		aliases: [],
		files: filesOf(fixture),
		options: {},
		languages: null,
		ownedBy: 'test',
		demo: false,
	} as unknown as ModelEntry;
	return loadModel(
		entry,
		testSettings({ maxAudioSeconds: 100, modelDir: sherpaDir, sherpaDir, vadModel: loudnessDetector }),
	);
}

describe('on a machine without sherpa-onnx', () => {
	it('Whisper models of whisper.cpp transcribe, taking the whole recording for speech', async () => {
		using empty = new Scratch();
		const model = await load('tones', empty.path);
		const events = runPipeline(
			model.parts,
			{ path: audioPath('tones-abc') },
			options,
			new AbortController().signal,
		);
		let text: string | undefined;
		for await (const event of finished(events, { model: 'tones', task: 'transcribe', language: 'en' })) {
			if (event.type === 'done') text = event.transcript.text;
		}
		await model.close();
		expect(text).toBe(modelFixture('tones').expectedTexts['tones-abc']);
	});

	it('models of sherpa-onnx are refused, with the command that brings it', async () => {
		using empty = new Scratch();
		await expect(load('zipformer_ctc', empty.path)).rejects.toMatchObject({
			code: 'engine_missing',
			message: expect.stringContaining('npm install sherpa-onnx-'),
		});
	});
});
