import { describe, expect, test } from 'vitest';
import { checkOptions } from '../../../../src/core/speech/check-options.js';
import { able, info } from '../../../helpers/fakes.js';
import { plainTranscription } from '../../../helpers/options.js';

describe('a text with a NUL', () => {
	test.each([
		['prompt', { prompt: 'a\0b' }],
		['keywords', { keywords: ['one', 'tw\0o'] }],
	])('is refused as %s, with the name of the field', (param, change) => {
		expect(() => checkOptions({ ...plainTranscription, ...change }, info(able))).toThrowError(
			expect.objectContaining({
				code: 'invalid_request',
				param,
				message: expect.stringContaining('without NUL characters'),
			}),
		);
	});
});
