import { describe, expect, test } from 'vitest';
import { asEarshotError, EarshotError } from '../../../src/core/errors.js';
import { errorBody, logFailure, retryHeaders, withoutFolders } from '../../../src/server/request/failure.js';

describe('paths in messages', () => {
	test.each([
		["ENOENT: no such file, open '/home/jo/models/a.bin'", "ENOENT: no such file, open 'a.bin'"],
		[
			'its file `model` cannot be used: /srv/My Models/v 2/a.onnx: broken',
			'its file `model` cannot be used: a.onnx: broken',
		],
		['Expected `x` in /etc/earshot/models.yaml:3: to be y', 'Expected `x` in models.yaml:3: to be y'],
		['got `C:\\Users\\Jo\\models\\a.bin`', 'got `a.bin`'],
		['the disk of /var/lib/earshot/ is full', 'the disk of  is full'],
	])('%j are hidden from strangers', (message, hidden) => {
		expect(withoutFolders(message)).toBe(hidden);
	});

	test.each([
		'the source https://huggingface.co/a/b/c.bin refused',
		'16 and/or 8/4, 3 / 4, a/b/c and ./d/e',
		'To download it: earshot pull org/large:q5',
	])('%j has none', (message) => {
		expect(withoutFolders(message)).toBe(message);
	});

	test('are shown to clients with a key, and where the client wrote them itself', () => {
		const failure = new EarshotError('model_load_failed', 'no /srv/models/a.bin');
		expect(errorBody(failure, { isTrusted: true }).error.message).toBe('no /srv/models/a.bin');
		expect(errorBody(failure, { isTrusted: false }).error.message).toBe('no a.bin');
		const quoted = new EarshotError('not_found', 'Invalid URL (GET /v1/a/b)');
		expect(errorBody(quoted, { isTrusted: false }).error.message).toBe('Invalid URL (GET /v1/a/b)');
	});
});

describe('errors of the system', () => {
	test.each([
		['ENOSPC', 'disk_full', {}],
		['EDQUOT', 'disk_full', {}],
		['EMFILE', 'too_many_open_files', { 'retry-after': '5', 'x-should-retry': 'true' }],
		['ENFILE', 'too_many_open_files', { 'retry-after': '5', 'x-should-retry': 'true' }],
	])('%s is %s, wherever it comes from', (code, expected, headers) => {
		const failure = asEarshotError(Object.assign(new Error(`${code}: open '/tmp/x'`), { code }));
		expect(failure.code).toBe(expected);
		expect(retryHeaders(failure)).toMatchObject(headers);
	});
});

test.each(['request_timeout', 'conflict', 'engine_failed'] as const)(
	'%s would be the same again, so the response says not to retry',
	(code) => {
		expect(retryHeaders(new EarshotError(code, 'no'))).toEqual({ 'x-should-retry': 'false' });
	},
);

test('a time limit of a client or the server is not logged as an error, a fault is', () => {
	const logged = {};
	logFailure(logged, new EarshotError('deadline_exceeded', 'too long'));
	expect(logged).toEqual({ code: 'deadline_exceeded' });
	logFailure(logged, new EarshotError('engine_failed', 'no'));
	expect(logged).toMatchObject({ err: expect.any(EarshotError) });
});
