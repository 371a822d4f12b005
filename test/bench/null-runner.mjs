// A runner whose engine returns a fixed result in no time: what is left is Earshot's own work. Decoding is real; voice
// activity detection, whose cost is the network's, is left out.
import { decoder } from '../../dist/audio/decode.js';
import { noVad } from '../../dist/audio/vad.js';
import { slotsOf } from '../../dist/core/config/resolve.js';
import { runChild } from '../../dist/runner/child/run.js';
import { Scheduler } from '../../dist/scheduler/scheduler.js';

const result = {
	language: 'en',
	segments: [
		{ start: 0, end: 1, text: ' nothing', tokens: [1], temperature: 0, avgLogprob: -0.1, noSpeechProb: 0 },
	],
};

runChild(async ({ id }, settings) => {
	const { numThreads, maxAudioSeconds } = settings;
	const limits = {
		slots: slotsOf(settings),
		prioritySlot: true,
		maxClipThreads: numThreads,
		maxBatchClips: 1,
		maxBatchSeconds: 30,
		padded: false,
		maxClipSeconds: 30,
		minClipSeconds: 0,
		mergeGapSeconds: 1,
	};
	const capabilities = {
		languages: null,
		choosesLanguage: true,
		choosesAmongLanguages: true,
		detectsLanguage: true,
		translates: true,
		prompt: true,
		keywords: true,
		temperature: true,
		decoding: true,
		words: false,
		logprobs: false,
		noSpeechProb: false,
	};
	const info = { id, engine: 'null', type: 'whisper_cpp', device: 'none', capabilities };
	const engine = {
		info,
		limits,
		run: ({ clips }) => clips.map(async () => result),
		close: async () => {},
	};
	const scheduler = new Scheduler(engine, numThreads);
	return {
		parts: { info, limits, scheduler, openAudio: decoder({ maxAudioSeconds }), openVad: noVad.open },
		trim() {},
		close: () => scheduler.close(),
	};
});
