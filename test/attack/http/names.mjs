// Names that are paths, addresses, headers or commands: of files, of models and of languages.
import { existsSync } from 'node:fs';
import path from 'node:path';
import { abc, field, file, form, get, isRefusal, isTranscribed, json, post, seen } from '../lib/http.mjs';

const fileNames = [
	'../../../../etc/passwd',
	'/evil.wav',
	'..\\..\\x.wav',
	'a\0.wav',
	'\xff\xfe.wav',
	'x'.repeat(100_000),
	'CON',
	'a.wav"; name="model',
	'concat:/etc/passwd',
	'http://127.0.0.1/x.m3u8',
];
const modelNames = [
	'../../../etc/passwd',
	'/etc/passwd',
	'..%2f..',
	'\0',
	'zipformer_ctc\0',
	'__proto__',
	'constructor',
	'file:///etc/passwd',
	'http://127.0.0.1:9/',
	'a'.repeat(50_000),
	'zipformer_ctc\r\nX-Evil: 1',
];

/** Words of this machine that no stranger needs. */
const secrets = (server) => [server.home, server.temp, 'node_modules', '/dist/'];

export async function attack({ server, check }) {
	const marker = path.join(server.home, 'owned');
	for (const name of [...fileNames, `$(touch ${marker}).wav`, `\`touch ${marker}\``]) {
		const answer = await post(server.port, form([file(abc, 'file', name)]));
		const what = JSON.stringify(name.slice(0, 30));
		check(
			`a file named ${what} is transcribed or refused`,
			isTranscribed(answer) || isRefusal(answer, 400, 413),
			seen(answer),
		);
	}
	check('no command of a name was run', !existsSync(marker));
	for (const name of modelNames) {
		const answer = await post(server.port, form([field('model', name), file(abc)]));
		const what = JSON.stringify(name.slice(0, 30));
		const leaked = secrets(server).filter((word) => answer.text.includes(word));
		check(
			`the model ${what} is not found`,
			isRefusal(answer, 400, 404) && leaked.length === 0,
			`${seen(answer)} ${leaked}`,
		);
		check(`the model ${what} adds no header`, !/^x-evil/im.test(answer.head), answer.head);
	}
	for (const name of modelNames.slice(0, 8)) {
		const answer = await get(server.port, `/v1/models/${encodeURIComponent(name)}`);
		check(`GET of the model ${JSON.stringify(name)} is not found`, isRefusal(answer, 400, 404), seen(answer));
	}
	const language = await post(server.port, form([field('language', '../..'), file(abc)]));
	check('a language that is a path is refused', isRefusal(language, 400), seen(language));
	const id = await post(server.port, undefined, { headers: ['x-request-id: a"b{<script>'] });
	const kept = /^x-request-id: (.*)$/im.exec(id.head)?.[1] ?? '';
	check('a request id of a stranger is not repeated as it is', !kept.includes('<'), kept);
	const damaged = await post(server.port, form([file('no audio at all')]));
	const paths = secrets(server).filter((word) => JSON.stringify(json(damaged) ?? '').includes(word));
	check(
		'a refused recording shows no path of the server',
		isRefusal(damaged, 400) && paths.length === 0,
		seen(damaged),
	);
}
