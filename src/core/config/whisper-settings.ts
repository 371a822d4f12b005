/** The settings of Whisper models; an entry of models.yaml may override each for itself. Part of the table in settings.ts. */

import path from 'node:path';
import type { Setting } from './setting.js';
import { autoOr, flag, numberFrom, oneOf, wholeNumber, zeroOrFrom } from './values.js';

const audioContexts = ['auto', 'full'] as const;

export const encoderNames = ['auto', 'exact', 'int16', 'int8', 'onnx', 'onnx-int8', 'ggml'] as const;
export type EncoderName = (typeof encoderNames)[number];

const decoderWeights = ['as-is', 'q8_0'] as const;

export const whisperSettings = {
	encoder: {
		scope: 'model',
		perModel: true,
		flag: 'encoder',
		valueName: 'NAME',
		help: `what encodes for Whisper models: ${encoderNames.join(', ')}; exact = in floats: onnx, else ggml`,
		default: 'auto',
		defaultText: 'auto: ggml on a GPU, int16 on a CPU with AVX-512 VNNI, else onnx',
		parse: oneOf(encoderNames),
	},
	decoderWeights: {
		scope: 'model',
		perModel: true,
		flag: 'decoder-weights',
		valueName: 'TYPE',
		help: "decoder weights of Whisper models: as-is = as in the file; q8_0 = on a CPU, faster and half of f16's memory",
		default: 'as-is',
		parse: oneOf(decoderWeights),
	},
	weightsDir: {
		scope: 'model',
		perModel: true,
		flag: 'weights-dir',
		valueName: 'DIR',
		help: 'folder for weights of Whisper models that several processes on a CPU share: they load into memory once',
		default: '',
		defaultText: 'none: each process has its own copy',
		parse: (text) => (text === '' ? '' : path.resolve(text)),
	},
	audioContext: {
		scope: 'model',
		perModel: true,
		flag: 'audio-context',
		valueName: 'NAME',
		help: "audio that Whisper's encoder processes: auto = the clip and some silence; full = always 30 s",
		default: 'auto',
		parse: oneOf(audioContexts),
	},
	beamSize: {
		scope: 'model',
		perModel: true,
		perRequest: true,
		flag: 'beam-size',
		valueName: 'N',
		help: 'beam size of Whisper models; 1 = greedy search; auto = 5 for long clips, else 1',
		default: 'auto',
		parse: autoOr(wholeNumber(1, 8)),
	},
	temperatureIncrement: {
		scope: 'model',
		perModel: true,
		perRequest: true,
		flag: 'temperature-increment',
		valueName: 'T',
		help: 'temperature increase at each retry of a clip by a Whisper model; 0 = no retry',
		default: 0.2,
		// whisper.cpp lists every step up to 1: the smallest would fill the memory.
		parse: zeroOrFrom(0.1, 1),
	},
	logprobThreshold: {
		scope: 'model',
		perModel: true,
		perRequest: true,
		flag: 'logprob-threshold',
		valueName: 'P',
		help: 'average log-probability below which a clip is decoded again at a higher temperature by Whisper models',
		default: -1,
		parse: numberFrom(-100, 0),
	},
	compressionRatioThreshold: {
		scope: 'model',
		perModel: true,
		perRequest: true,
		flag: 'compression-ratio-threshold',
		valueName: 'R',
		help: 'compression ratio above which a text counts as repetitive, and its clip is decoded again likewise',
		default: 2.4,
		parse: numberFrom(1, 100),
	},
	noSpeechThreshold: {
		scope: 'model',
		perModel: true,
		perRequest: true,
		flag: 'no-speech-threshold',
		valueName: 'P',
		help: 'probability of no speech above which an unlikely text of a Whisper model, or that of a rest below 1 s, is dropped',
		default: 0.6,
		parse: numberFrom(0, 1),
	},
	suppressNonSpeech: {
		scope: 'model',
		perModel: true,
		flag: 'suppress-non-speech',
		valueName: 'BOOL',
		help: 'whether Whisper models are kept from writing brackets, musical notes and similar symbols, as OpenAI keeps them',
		default: true,
		defaultText: 'yes',
		parse: flag,
	},
} as const satisfies Readonly<Record<string, Setting>>;
