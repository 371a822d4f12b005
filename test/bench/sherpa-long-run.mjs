/**
 * sherpa-onnx over a long time: many clips over several slots with the memory they leave behind, and a folder of
 * recordings through every family of the fixtures. Needs a built checkout; ends with 1 where a clip fails that
 * should not, where texts differ, or where memory grows.
 *
 * node test/bench/sherpa-long-run.mjs [--clips 10000] [--parallel 4] [--model NAME|all]
 * node test/bench/sherpa-long-run.mjs --speech FOLDER [--every 1] [--parallel 4]     (or EARSHOT_SPEECH)
 */

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { argv, env, exit, hrtime, memoryUsage } from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
	args: argv.slice(2),
	options: {
		clips: { type: 'string', default: '10000' },
		slots: { type: 'string', default: '4' },
		model: { type: 'string', default: 'zipformer_ctc' },
		speech: { type: 'string', default: env.EARSHOT_SPEECH ?? '' },
		every: { type: 'string', default: '1' },
	},
});
const slots = Number(values.slots);
// Before the first work on the pool.
env.UV_THREADPOOL_SIZE = String(slots + 2);

const root = fileURLToPath(new URL('../..', import.meta.url));
const generated = path.join(root, 'fixtures', 'generated');
const { loadSherpa } = await import('../../dist/engines/sherpa/sherpa.js');
const { findSherpaLibrary } = await import('../../dist/addon/libraries.js');
const { decoder } = await import('../../dist/audio/decode.js');

const manifest = JSON.parse(readFileSync(path.join(generated, 'manifest.json'), 'utf8'));
const families = manifest.models.filter(({ engine, name }) => engine === 'sherpa' && name !== 'slow');
const rate = 16_000;
const plain = {
	task: 'transcribe',
	language: null,
	prompt: '',
	keywords: [],
	temperature: 0,
	words: false,
	logprobs: false,
};

function load({ name, type, files, options }) {
	const placed = Object.fromEntries(
		Object.entries(files).map(([role, file]) => [role, path.join(generated, file)]),
	);
	const libraryDir = findSherpaLibrary(undefined);
	return loadSherpa({ id: name, type, files: placed, options, languages: null, libraryDir, slots });
}

const run = (engine, clips, options = plain) => Promise.all(engine.run({ clips, options, threads: 1 }, []));
const textOf = ({ segments }) => segments.map(({ text }) => text.trim()).join(' ');
const clipOf = (samples) => ({ samples, start: 0, end: samples.length / rate });
const megabytes = () => Math.round(memoryUsage.rss() / 2 ** 20);

function lengthened(samples, engine) {
	const wanted = Math.ceil(engine.limits.minClipSeconds * rate);
	if (samples.length >= wanted) return samples;
	const longer = new Float32Array(wanted);
	longer.set(samples);
	return longer;
}

/** Samples of a whole file. */
async function decode(file) {
	const reader = decoder({ maxAudioSeconds: 14_400 })({ path: file });
	const blocks = [];
	try {
		await reader.open();
		for (let count = 60 * rate; count === 60 * rate; ) {
			const block = new Float32Array(60 * rate);
			count = await reader.read(block);
			blocks.push(block.subarray(0, count));
		}
	} finally {
		await reader.close();
	}
	const samples = new Float32Array(blocks.reduce((sum, { length }) => sum + length, 0));
	let at = 0;
	for (const block of blocks) {
		samples.set(block, at);
		at += block.length;
	}
	return samples;
}

/** `work` for every item, `slots` at once. */
async function inLanes(items, work) {
	const rest = items[Symbol.iterator]();
	const slot = async () => {
		for (let next = rest.next(); !next.done; next = rest.next()) await work(next.value);
	};
	await Promise.all(Array.from({ length: slots }, slot));
}

/** Clips of 0.3 s up to what the family stands, singly and in batches: texts must stay, memory must not grow. */
async function longRun(model, total) {
	const engine = await load(model);
	const minute = await decode(path.join(generated, 'audio', 'tones-minute.wav'));
	const longest = Math.min(engine.limits.maxClipSeconds, 20);
	const clips = Array.from({ length: 16 }, (_, index) => {
		const seconds = Math.max(0.3, (longest * (index + 1) ** 2) / 256);
		const from = Math.floor(((60 - seconds) * index * rate) / 16);
		return clipOf(lengthened(minute.subarray(from, from + Math.floor(seconds * rate)), engine));
	});
	const texts = [];
	for (const clip of clips) texts.push(textOf((await run(engine, [clip]))[0]));
	let [done, wrong] = [0, 0];
	const rss = [];
	const started = hrtime.bigint();
	await inLanes(Array(total).keys(), async (index) => {
		// Every other turn is a batch of three, where the library has batches.
		const many = engine.limits.maxBatchClips > 1 && index % 2 === 0 ? 3 : 1;
		const picked = Array.from({ length: many }, (_, at) => (index * 7 + at * 5) % clips.length);
		if (done >= total) return;
		done += many;
		const results = await run(
			engine,
			picked.map((at) => clips[at]),
		);
		for (const [at, result] of results.entries()) if (textOf(result) !== texts[picked[at]]) wrong++;
		if (Math.floor(done / (total / 10)) > rss.length) rss.push(megabytes());
	});
	const seconds = Number(hrtime.bigint() - started) / 1e9;
	await engine.close();
	const grown = (rss.at(-1) ?? 0) - (rss[1] ?? 0);
	console.log(
		`${model.name}: ${done} clips over ${slots} slots in ${seconds.toFixed(1)} s, ${wrong} texts differ, ` +
			`RSS at each tenth ${rss.join(' ')} MiB, ${grown >= 0 ? '+' : ''}${grown} since the second`,
	);
	return wrong === 0 && grown < 24;
}

/** The fixtures' text for speech is undefined; what counts is that they end, and fail as values. */
async function speech(folder, every) {
	const files = readdirSync(folder, { recursive: true, withFileTypes: true })
		.filter((entry) => entry.isFile())
		.map((entry) => path.join(entry.parentPath ?? entry.path, entry.name))
		.sort()
		.filter((_, index) => index % every === 0);
	const engines = await Promise.all(families.map(load));
	const refused = new Map();
	let [recordings, clips, withText] = [0, 0, 0];
	const failures = [];
	const started = hrtime.bigint();
	await inLanes(files, async (file) => {
		let whole;
		try {
			whole = await decode(file);
		} catch (error) {
			refused.set(error.code, (refused.get(error.code) ?? 0) + 1);
			return;
		}
		recordings++;
		for (const engine of engines) {
			// The first clip and the last, as long as the family stands.
			const size = engine.limits.maxClipSeconds * rate;
			const ends = [whole.subarray(0, size), whole.subarray(Math.max(0, whole.length - size))];
			for (const samples of whole.length > size ? ends : ends.slice(0, 1)) {
				clips++;
				try {
					if (textOf((await run(engine, [clipOf(lengthened(samples, engine))]))[0]) !== '') withText++;
				} catch (error) {
					failures.push(`${engine.info.type} ${path.basename(file)}: ${error.code} ${error.message}`);
				}
			}
		}
		if (recordings % 100 === 0)
			console.log(`${recordings} of ${files.length} recordings, ${clips} clips, ${megabytes()} MiB`);
	});
	for (const engine of engines) await engine.close();
	const seconds = Number(hrtime.bigint() - started) / 1e9;
	console.log(
		`${recordings} recordings through ${engines.length} families: ${clips} clips in ${seconds.toFixed(0)} s, ${withText} with text, ` +
			`${failures.length} failed; not audio: ${[...refused].map(([code, count]) => `${count} ${code}`).join(', ') || 'none'}; ${megabytes()} MiB`,
	);
	for (const failure of failures.slice(0, 20)) console.log(failure);
	return failures.length === 0;
}

let fine = true;
if (values.speech !== '') fine = await speech(values.speech, Number(values.every));
else {
	const chosen = families.filter(({ name }) => values.model === 'all' || name === values.model);
	for (const model of chosen) fine = (await longRun(model, Number(values.clips))) && fine;
}
exit(fine ? 0 : 1);
