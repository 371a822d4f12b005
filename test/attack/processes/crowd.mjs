// Many clients at once, each with a recording of its own: each gets its own text.
import { file, form, json, post, seen } from '../lib/http.mjs';
import { recording } from '../lib/server.mjs';

const clients = 60;
const texts = {
	'tones-a': 'a',
	'tones-e': 'e',
	'tones-abc': 'a b c',
	'tones-edcba': 'e d c b a',
	'tones-long-pauses': 'a b c d e',
};

export async function attack({ server, check }) {
	const names = Object.keys(texts);
	const asked = Array.from({ length: clients }, (_, client) => names[client % names.length]);
	const answers = await Promise.all(
		asked.map((name) => post(server.port, form([file(recording(name))]), { timeoutMs: 60_000 })),
	);
	const wrong = answers.filter((answer, client) => json(answer)?.text !== texts[asked[client]]);
	check(`${clients} clients at once each get their own text`, wrong.length === 0, wrong[0] && seen(wrong[0]));
}
