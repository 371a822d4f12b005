/** The default options of a request. */

import { type ModelOptions, modelOptions, resolveConfig } from '../../src/core/config/resolve.js';
import type { RecognizeOptions } from '../../src/core/speech/options.js';
import { defaultChunking, type TranscribeOptions } from '../../src/core/speech/options.js';

export const plainRecognition: RecognizeOptions = {
	task: 'transcribe',
	language: null,
	prompt: '',
	keywords: [],
	temperature: 0,
	words: false,
	logprobs: false,
};

/** An `int8Weights` for tests that must not need them. */
export const noInt8 = () => Promise.reject(new Error('8-bit weights were not expected to be requested'));

export const plainTranscription: TranscribeOptions = { ...plainRecognition, chunking: defaultChunking };

/** The default settings of a model. */
export const defaultModelOptions: ModelOptions = modelOptions({}, resolveConfig([]));
