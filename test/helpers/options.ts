/** What a request asks for that asks for nothing special. */

import type { RecognizeOptions } from '../../src/speech/options.js';
import { defaultChunking, type TranscribeOptions } from '../../src/speech/options.js';

export const plainRecognition: RecognizeOptions = {
	task: 'transcribe',
	language: null,
	prompt: '',
	keywords: [],
	temperature: 0,
	words: false,
	logprobs: false,
};

/** For `int8Weights`, where nobody asks for them. */
export const noInt8 = () => Promise.reject(new Error('nobody asked for 8-bit weights'));

export const plainTranscription: TranscribeOptions = { ...plainRecognition, chunking: defaultChunking };
