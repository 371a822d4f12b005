// Keys that are wrong, empty, or nearly right.
import { get, isRefusal, seen } from '../lib/http.mjs';
import { startServer } from '../lib/server.mjs';

export async function attack({ check }) {
	const keyed = await startServer({ flags: ['--api-keys', 'sk-right,sk-other'] });
	try {
		const wrong = [
			'sk-wrong',
			'',
			' ',
			'sk-righ',
			'sk-right,sk-other',
			'sk-right\t\u0001',
			'undefined',
			'__proto__',
			'x'.repeat(10_000),
		];
		for (const key of wrong) {
			const answer = await get(keyed.port, '/v1/models', [`Authorization: Bearer ${key}`]);
			const what = JSON.stringify(key.slice(0, 20));
			check(`the key ${what} opens nothing`, isRefusal(answer, 401) || answer.status === 400, seen(answer));
		}
		const right = await get(keyed.port, '/v1/models', ['Authorization: Bearer sk-right']);
		check('the right key opens', right.status === 200, seen(right));
		for (const route of [
			'/v1/audio/transcriptions',
			'/v1/ps',
			'/metrics',
			'/v1/pull',
			'/v1/models/zipformer_ctc',
		]) {
			const answer = await get(keyed.port, route);
			check(`${route} without a key is closed`, answer.status === 401 || answer.status === 405, seen(answer));
		}
		check('no key is in the log', !/sk-right|sk-other/.test(keyed.logTail()), keyed.logTail());
	} finally {
		await keyed.stop();
	}
	// As `--api-keys "$(openssl …)"` gives where the command failed.
	for (const [what, options] of [
		['an empty list of keys', { flags: ['--api-keys', ''] }],
		['an empty variable of keys', { env: { EARSHOT_API_KEYS: '' } }],
		['a list of blanks', { flags: ['--api-keys', ' , '] }],
	]) {
		const opened = await startServer(options).catch((thrown) => thrown);
		const refused = opened instanceof Error;
		check(`${what} is refused at the start`, refused, 'the server started, open to all');
		if (!refused) await opened.stop();
	}
}
