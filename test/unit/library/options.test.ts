import { describe, expect, test } from 'vitest';
import { fullOptions } from '../../../src/library/options.js';
import { info } from '../../helpers/fakes.js';

const whisper = info({ decoding: true });
const decodingOf = (options: object) => fullOptions(options, whisper).decoding;

describe('Options of decoding', () => {
	test.each<[object]>([
		[{ beamSize: 'auto' }],
		[{ beamSize: 8 }],
		[{ temperatureIncrement: 0 }],
		[{ logprobThreshold: -100 }],
		[{ compressionRatioThreshold: 1 }],
		[{ noSpeechThreshold: 1 }],
	])('are taken as the settings of those names take them: %o', (options) => {
		expect(decodingOf(options)).toEqual(options);
	});

	test.each<[string, unknown]>([
		['beamSize', '5'],
		['beamSize', 1e9],
		['beamSize', Number.NaN],
		['beamSize', [5]],
		['temperatureIncrement', 'auto'],
		['temperatureIncrement', 0.001],
		['logprobThreshold', Number.NEGATIVE_INFINITY],
		['compressionRatioThreshold', 0],
		['noSpeechThreshold', null],
	])('are refused, naming the option: %s %o', (param, value) => {
		expect(() => decodingOf({ [param]: value })).toThrow(
			expect.objectContaining({ code: 'invalid_request', param }),
		);
	});
});
