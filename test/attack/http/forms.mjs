// Forms that are none, that have too much in them, or names that mean something to JavaScript.
import { gzipSync } from 'node:zlib';
import { abc, field, file, form, isRefusal, isTranscribed, post, seen, usualForm } from '../lib/http.mjs';

const many = (count) => Array.from({ length: count }, (_, n) => field(`f${n}`, 'v'));
const special = [
	'__proto__',
	'constructor',
	'prototype',
	'__proto__[x]',
	'model[__proto__]',
	'toString',
	'hasOwnProperty',
];

/** Strange but whole: heard or refused. */
const strange = [
	[
		'a boundary of 10,000 characters',
		form([file(abc)], { boundary: 'B'.repeat(10_000) }),
		{ type: `multipart/form-data; boundary=${'B'.repeat(10_000)}` },
	],
	['a field name of 500 KB', form([field('n'.repeat(500_000), 'x'), file(abc)]), {}],
	['a part header of 1 MB', form([[`X-A: ${'a'.repeat(1e6)}\r\n${field('z', '')[0]}`, 'x'], file(abc)]), {}],
];

/** What no form may be. */
const cases = [
	['no boundary', usualForm, { type: 'multipart/form-data' }],
	['an empty boundary', usualForm, { type: 'multipart/form-data; boundary=' }],
	['another boundary', usualForm, { type: 'multipart/form-data; boundary=CC' }],
	['no type', usualForm, { type: null }],
	['the type of JSON', usualForm, { type: 'application/json' }],
	['a compressed body', gzipSync(usualForm), { headers: ['Content-Encoding: gzip'] }],
	['no end', form([file(abc)], { end: false }), {}],
	['nothing', Buffer.alloc(0), {}],
	['no file', form([field('model', 'zipformer_ctc')]), {}],
	['an empty file', form([file('')]), {}],
	['the file as a text field', form([field('file', abc)]), {}],
	['100,000 fields', form([...many(100_000), file(abc)]), { timeoutMs: 15_000 }],
	[
		'10,000 files',
		form([...many(0), ...Array.from({ length: 10_000 }, (_, n) => file('v', `f${n}`)), file(abc)]),
		{ timeoutMs: 15_000 },
	],
	['a field of 2 MB', form([field('prompt', 'x'.repeat(2e6)), file(abc)]), {}],
	['chunking of 100,000 brackets', form([field('chunking_strategy', '['.repeat(100_000)), file(abc)]), {}],
	[
		'a threshold of 1e308',
		form([field('chunking_strategy', '{"type":"server_vad","threshold":1e308}'), file(abc)]),
		{},
	],
	['a temperature that is no number', form([field('temperature', 'NaN'), file(abc)]), {}],
	['a format of JavaScript’s', form([field('response_format', 'constructor'), file(abc)]), {}],
	['a granularity with a NUL', form([field('timestamp_granularities[]', 'word\0'), file(abc)]), {}],
];

export async function attack({ server, check }) {
	for (const [what, body, options] of cases) {
		const answer = await post(server.port, body, options);
		check(`${what} is refused in the API's own form`, isRefusal(answer, 400, 413, 415), seen(answer));
	}
	for (const [what, body, options] of strange) {
		const answer = await post(server.port, body, options);
		check(
			`${what} is transcribed or refused`,
			isTranscribed(answer) || isRefusal(answer, 400, 413),
			seen(answer),
		);
	}
	for (const name of special) {
		const answer = await post(server.port, form([field(name, 'x'), file(abc)]));
		check(
			`a field named ${name} changes nothing`,
			isTranscribed(answer) || isRefusal(answer, 400, 404),
			seen(answer),
		);
	}
	const after = await post(server.port);
	check('a usual form is transcribed as before', isTranscribed(after), seen(after));
}
