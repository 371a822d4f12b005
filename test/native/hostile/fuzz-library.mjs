// Calls the public library with values that its types forbid: a seeded run in a process of its own, so that a crash is seen.
// Prints one line of JSON for each call that did not end as it should, then `done`.
//   node fuzz-library.mjs CONFIG RECORDING SEED ROUNDS
import { readFileSync, writeSync } from 'node:fs';
import process, { argv } from 'node:process';
import { createTranscriber, EarshotError, render } from '../../../dist/index.js';
import { oddValues, thrownByGetter } from './odd-values.mjs';
import { seeded } from './seeded.mjs';

const [config, recording, seed, rounds] = argv.slice(2);
const random = seeded(Number(seed));
const odd = () => random.of(oddValues)();

let calls = 0;
function complain(name, what) {
	process.stdout.write(`${JSON.stringify({ call: calls, name, what })}\n`);
}

/** `allowed`: whether another error than Earshot's may be thrown. */
async function attempt(name, work, allowed = false) {
	writeSync(2, `${++calls} ${name}\n`);
	const late = new Promise((resolve) => setTimeout(() => resolve('late'), 30_000).unref());
	try {
		const answer = await Promise.race([work(), late]);
		if (answer === 'late') complain(name, 'did not settle in 30 s');
	} catch (thrown) {
		const isKnown = thrown instanceof EarshotError && thrown.code !== 'internal';
		if (isKnown || allowed || thrown === thrownByGetter) return;
		complain(name, `${thrown?.stack ?? String(thrown)} ${thrown?.cause?.stack ?? ''}`);
	}
}

function spoiled(options) {
	const names = [...Object.keys(options), 'unknown', '__proto__', 'toString'];
	switch (random.below(5)) {
		case 0:
			return odd();
		case 1:
			return Object.defineProperty({ ...options }, random.of(names), {
				get: () => {
					throw thrownByGetter;
				},
				enumerable: true,
			});
		default:
			return Object.defineProperty({ ...options }, random.of(names), { value: odd(), enumerable: true });
	}
}

const options = {
	task: 'transcribe',
	language: 'en',
	languages: ['en'],
	prompt: '',
	keywords: [],
	temperature: 0,
	words: true,
	logprobs: false,
	chunking: { threshold: 0.5 },
};

/** Reads whole recordings only of what could be one: devices that never end are no test. */
for (let round = 0; round < Number(rounds); round++) {
	for (const isolated of [false, true]) {
		const earshot = await createTranscriber({ config, isolated });
		const call = () => ({ signal: new AbortController().signal, onProgress: () => {} });
		for (let times = 0; times < 12; times++) {
			const source = odd();
			await attempt('transcribe source', () => earshot.transcribe(source));
			await attempt('transcribe options', () => earshot.transcribe(recording, spoiled(options)));
			await attempt('transcribe call', () => earshot.transcribe(recording, {}, spoiled(call())));
			await attempt('segments', async () => {
				for await (const _ of earshot.segments(odd(), spoiled(options), spoiled(call()))) break;
			});
			const bytes = new Uint8Array(readFileSync(recording));
			for (let spot = 0; spot < 20; spot++) bytes[random.below(200)] = random.below(256);
			await attempt('transcribe damaged bytes', () => earshot.transcribe(bytes));
			await attempt('createTranscriber', async () => {
				const made = await createTranscriber(spoiled({ config, model: 'x', numThreads: 1, isolated: false }));
				await made.close();
			});
			const transcript = await earshot.transcribe(recording, { words: true });
			if (transcript.text === '') complain('transcribe', 'hears nothing any more');
			await attempt('render', async () => render(random.below(2) ? transcript : odd(), odd(), odd()), true);
		}
		await Promise.all([earshot.close(), earshot.close()]);
		await attempt('transcribe after close', () => earshot.transcribe(recording));
	}
}
process.stdout.write('done\n');
