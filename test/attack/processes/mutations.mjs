// Recordings with damaged bytes, of several containers: each is transcribed or refused, and no process ends of it.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { seeded } from '../../native/hostile/seeded.mjs';
import { file, form, isRefusal, post, seen } from '../lib/http.mjs';
import { recording, root } from '../lib/server.mjs';

const each = 40;
const random = seeded(18);

function samples() {
	const folder = path.join(root, 'fixtures', 'recordings');
	const found = existsSync(folder)
		? readdirSync(folder).filter((name) => /\.(mp3|opus|ogg|flac|m4a|mp4|webm|mkv)$/.test(name))
		: [];
	return [
		['wav', recording('tones-abc')],
		['float wav', recording('tones-abc-float')],
		['mu-law wav', recording('tones-abc-8000-mulaw')],
		...found.slice(0, 4).map((name) => [name, readFileSync(path.join(folder, name))]),
	];
}

function damaged(bytes) {
	const copy = Buffer.from(bytes);
	for (let spot = 0; spot < 1 + random.below(20); spot++) {
		// The heads of files are where the decisions are.
		const at = random.below(2) ? random.below(Math.min(200, copy.length)) : random.below(copy.length);
		copy[at] = random.below(4) ? random.below(256) : 255;
	}
	return random.below(4) ? copy : copy.subarray(0, random.below(copy.length));
}

export async function attack({ server, check }) {
	await post(server.port);
	const before = (await server.loaded()).zipformer_ctc?.pid;
	for (const [name, bytes] of samples()) {
		const wrong = [];
		for (let time = 0; time < each; time += 8) {
			const answers = await Promise.all(
				Array.from({ length: 8 }, () =>
					post(server.port, form([file(damaged(bytes))]), { timeoutMs: 15_000 }),
				),
			);
			wrong.push(...answers.filter((answer) => answer.status !== 200 && !isRefusal(answer, 400)).map(seen));
		}
		check(`${each} damaged recordings (${name}) are transcribed or refused`, wrong.length === 0, wrong[0]);
	}
	const after = (await server.loaded()).zipformer_ctc?.pid;
	check('the process that read them is still the same', before === after && before !== undefined, {
		before,
		after,
	});
}
