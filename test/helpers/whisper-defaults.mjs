/** Default options for the addon's Whisper models in scripts: one clip in English, greedy. */

/** @type {Omit<import('../../binding.js').WhisperLoad, 'path'>} */
export const usualLoad = { slots: 1, maxThreads: 1, useGpu: false, gpuDevice: 0, alignmentHeads: [] };

/** @type {import('../../binding.js').WhisperClipOptions} */
export const usualClip = {
	clip: 1,
	threads: 1,
	language: 'en',
	languages: [],
	translate: false,
	prompt: '',
	temperature: 0,
	temperatureIncrement: 0,
	logprobThreshold: -1,
	noSpeechThreshold: 0.6,
	tokenTimestamps: false,
	beamSize: 1,
	// The whole window, like whisper.cpp's own programs.
	audioContext: 0,
	suppress: [],
	suppressNonSpeech: false,
};
