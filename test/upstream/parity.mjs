/**
 * Compares text and times of segments with those of whisper-cli, built from vendor/, for plain greedy settings.
 * usage: npm run parity [-- FOLDER [COUNT]]   recordings; else EARSHOT_PARITY_RECORDINGS, else the generated ones
 *
 * A difference is explained when whisper-cli's segments are the same as ours, text and times, once listed faults are
 * taken from its run by its own options, and from what it says by computation; the fewest such faults are its reason.
 * `unexplained` is to be 0. With another encoder than ggml's a recording may differ by its rounding too, which whisper-cli
 * has not: that is so where the run with ggml's is equal or explained and both encoders make the same but for rounding.
 */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import process, { argv, stdout } from 'node:process';
import wavefile from 'wavefile';
import { GENERATED, makeFixtures } from '../../fixtures/make-models.mjs';
import { usualClip, usualLoad } from '../helpers/whisper-defaults.mjs';
import { buildPlain, root } from './build.mjs';

const RATE = 16_000;
const MAX_SECONDS = 60;
/** whisper.cpp drops what is shorter; ours puts silence behind it. */
const LEAST_SECONDS = 1;
/** Of what two encoders make: the error (root mean square) over the value. ggml's has steps in 16-bit floats. */
const ROUNDING = 2 ** -10;

/**
 * @typedef {{ text: string, from: number, to: number }} Segment in milliseconds
 * @typedef {{ file: string, path: string, samples: Float32Array }} Recording
 */

const addon = createRequire(import.meta.url)('node-gyp-build')(root);
makeFixtures();
const { cli } = buildPlain();
const folder = mkdtempSync(join(tmpdir(), 'earshot-parity-'));

/** @param {string} path @param {Float32Array} samples */
function writeWav(path, samples) {
	const wav = new wavefile.WaveFile();
	wav.fromScratch(1, RATE, '32f', samples);
	writeFileSync(path, wav.toBuffer());
}

/** A whole recording. @param {Uint8Array} bytes @returns {Promise<Float32Array>} */
async function decode(bytes) {
	const reader = addon.openAudio(bytes, { maxSeconds: MAX_SECONDS });
	try {
		await reader.open();
		const samples = new Float32Array((MAX_SECONDS + 1) * RATE);
		const { count } = await reader.read(samples);
		return samples.slice(0, count);
	} finally {
		await reader.close();
	}
}

/** Every so many of the files there are, so that few stand for all. @returns {Promise<Recording[]>} */
async function recordings(/** @type {string} */ from, /** @type {number} */ count) {
	const files = readdirSync(from, { recursive: true, encoding: 'utf8' })
		.filter((file) => /\.(wav|flac|mp3|ogg|opus|m4a|webm|aac)$/i.test(file))
		.sort();
	/** @type {Recording[]} */
	const taken = [];
	for (let step = Math.max(1, Math.floor(files.length / count)), first = 0; first < step; first++) {
		for (let at = first; at < files.length && taken.length < count; at += step) {
			try {
				const samples = await decode(readFileSync(join(from, files[at])));
				const path = join(folder, `${taken.length}.wav`);
				writeWav(path, samples);
				taken.push({ file: files[at], path, samples });
			} catch {
				// Broken on purpose, or longer than this test has time for.
			}
		}
	}
	return taken;
}

/**
 * @param {string} model
 * @param {readonly string[]} paths
 * @param {readonly string[]} options
 * @returns {Segment[][]}
 */
function plain(model, paths, options = []) {
	const run = spawnSync(
		cli,
		['-m', model, '-t', '1', '-l', 'en', '-nf', '-bs', '1', '-bo', '1', '-np', '-oj', ...options, ...paths],
		{ encoding: 'utf8', maxBuffer: 1 << 26 },
	);
	if (run.status !== 0) throw new Error(`whisper-cli ended with ${run.status ?? run.signal}: ${run.stderr}`);
	return paths.map((path) => {
		// A character split over tokens makes the file no UTF-8, but for that it is JSON.
		const { transcription } = JSON.parse(readFileSync(`${path}.json`, 'utf8'));
		return transcription.map((/** @type {any} */ { text, offsets }) => ({ text, ...offsets }));
	});
}

/** @returns {Promise<{ segments: Segment[], removedRepetitions: ReadonlySet<string> }>} cuts as `from-to` in milliseconds */
async function ours(/** @type {any} */ model, /** @type {Float32Array} */ samples) {
	const raw = await model.transcribe(samples, usualClip);
	const segments = [];
	let from = 0;
	for (let at = 0; at < raw.segments.length; at += addon.SEGMENT_FIELDS) {
		const [to, start, end] = raw.segments.subarray(at);
		const bytes = raw.bytes.subarray(
			from === 0 ? 0 : raw.tokenEnds[from - 1],
			to === 0 ? 0 : raw.tokenEnds[to - 1],
		);
		from = to;
		segments.push({
			text: Buffer.from(bytes).toString(),
			from: Math.round(start * 1000),
			to: Math.round(end * 1000),
		});
	}
	const removedRepetitions = new Set();
	for (let at = 0; at < raw.removedRepetitions.length; at += 2) {
		removedRepetitions.add(
			`${Math.round(raw.removedRepetitions[at] * 1000)}-${Math.round(raw.removedRepetitions[at + 1] * 1000)}`,
		);
	}
	return { segments, removedRepetitions };
}

/** Times inside the audio and in order. @param {Segment[]} segments @param {number} seconds */
function inside(segments, seconds) {
	let at = 0;
	const clamp = (/** @type {number} */ time) => Math.min(Math.max(time, at), Math.round(seconds * 1000));
	return segments.map(({ text, ...times }) => {
		const from = clamp(times.from);
		at = from;
		const to = clamp(times.to);
		at = to;
		return { text, from, to };
	});
}

const same = (/** @type {Segment[]} */ a, /** @type {Segment[]} */ b) =>
	JSON.stringify(a) === JSON.stringify(b);

/** Levels of 10 ms each. @param {Float32Array} samples */
function levelsOf(samples) {
	const size = RATE / 100;
	return Float32Array.from({ length: Math.ceil(samples.length / size) }, (_, index) => {
		const frame = samples.subarray(index * size, (index + 1) * size);
		return Math.sqrt(frame.reduce((sum, sample) => sum + sample * sample, 0) / frame.length);
	});
}

/**
 * Without the segments that ours says it has cut, if each is one of four and more of the same text in a row, not the
 * first of them, and lies where the recording is quiet.
 * @param {Segment[]} segments @param {Recording} recording @param {ReadonlySet<string>} cuts
 */
function withoutUnheard(segments, { samples }, removedRepetitions) {
	const levels = levelsOf(samples);
	const loud = levels.toSorted()[Math.floor(levels.length * 0.95)] ?? 0;
	const quiet = (/** @type {Segment} */ { from, to }) =>
		levels
			.subarray(Math.round(from / 10), Math.round(to / 10))
			.every((level) => level < Math.max(loud / 2, 1e-4));
	return segments.filter((segment, index) => {
		let [first, last] = [index, index];
		while (segments[first - 1]?.text === segment.text) first--;
		while (segments[last + 1]?.text === segment.text) last++;
		const repeated = index > first && last - first >= 3;
		return !(repeated && removedRepetitions.has(`${segment.from}-${segment.to}`) && quiet(segment));
	});
}

/** The first round of a text that goes round in circles five times and more. */
const firstRound = (/** @type {string} */ text) =>
	text.replace(/(.{1,80}?)\1{4,}(.{0,80}$)?/gsu, (_, round, rest = '') =>
		round.startsWith(rest) ? round : round + rest,
	);

/**
 * One round of each loop, and none where it lasts no time and says what was said before.
 * @param {Segment[]} segments
 */
function withoutLoops(segments) {
	/** @type {Segment[]} */
	const kept = [];
	for (const { text, from, to } of segments) {
		const round = firstRound(text);
		if (round !== text && from === to && round === kept.at(-1)?.text) continue;
		kept.push({ text: round, from, to });
	}
	return kept;
}

/**
 * Whether two encoders make the same of a recording but for rounding: what is left then is a tie of the decoder's.
 * @param {any} one @param {any} other @param {Float32Array} samples
 */
async function roundingOnly(one, other, samples) {
	const window = 30 * RATE;
	for (let at = 0; at < samples.length; at += window) {
		const part = samples.subarray(at, at + window);
		const options = { clip: 1, threads: 1, audioContext: 0 };
		const [made, expected] = [await one.encode(part, options), await other.encode(part, options)];
		let [squares, errors] = [0, 0];
		for (const [index, value] of expected.entries()) {
			squares += value ** 2;
			errors += (made[index] - value) ** 2;
		}
		if (!(Math.sqrt(errors / squares) < ROUNDING)) return false;
	}
	return true;
}

/** What loadWhisper takes for the encoder: ggml's first, ONNX Runtime's where it takes the file, and that in integers. */
async function encodersOf(/** @type {string} */ path) {
	const { loadEncoders } = await import(join(root, 'dist', 'engines', 'whisper', 'encoder.js'));
	const { sherpaLibraryIfAny } = await import(join(root, 'dist', 'addon', 'libraries.js'));
	const libraryDir = sherpaLibraryIfAny(undefined);
	const { encoders } = await loadEncoders({ wanted: 'onnx', path, libraryDir, maxThreads: 1, useGpu: false });
	return [
		{},
		...(encoders.length > 0 ? [{ encoders }] : []),
		...(addon.integerEncoders() ? [{ encoderBits: 16 }] : []),
	];
}

/** Options of whisper-cli that take a fault away. A probability of no speech may come out infinite. */
const REPAIRS = new Map([
	['no_speech_prob', ['-nth', 'inf']],
	['attention padding', ['-nfa']],
]);

/**
 * What whisper-cli says with ever more of its faults taken away, fewest first.
 * @param {string} model @param {Recording} recording @param {Segment[]} theirs
 * @returns {Generator<{ faults: string[], segments: Segment[] }>}
 */
function* repaired(model, { path, samples }, theirs) {
	yield { faults: [], segments: theirs };
	// Alone, on a new state.
	yield { faults: ['leak between requests'], segments: plain(model, [path])[0] };
	const seconds = samples.length / RATE;
	const sets = [[], ...[...REPAIRS.keys()].map((fault) => [fault]), [...REPAIRS.keys()]];
	for (const faults of sets.slice(1)) {
		const options = faults.flatMap((fault) => REPAIRS.get(fault) ?? []);
		yield { faults, segments: plain(model, [path], options)[0] };
	}
	if (seconds >= LEAST_SECONDS) return;
	const padded = new Float32Array(LEAST_SECONDS * RATE);
	padded.set(samples);
	const longer = join(folder, 'longer.wav');
	writeWav(longer, padded);
	const end = ['-d', String(Math.max(200, Math.ceil(seconds * 1000)))];
	for (const faults of sets) {
		const options = faults.flatMap((fault) => REPAIRS.get(fault) ?? []);
		yield {
			faults: ['audio of less than a second', ...faults],
			segments: plain(model, [longer], [...end, ...options])[0],
		};
	}
}

/** The faults that make the difference, or nothing: without them the segments are the same to the millisecond. */
function explain(
	/** @type {string} */ model,
	/** @type {Recording} */ recording,
	/** @type {Segment[]} */ theirs,
	/** @type {{ segments: Segment[], removedRepetitions: ReadonlySet<string> }} */ {
		segments,
		removedRepetitions,
	},
) {
	/** @type {[fault: string, undo: (segments: Segment[]) => Segment[]][]} */
	const undone = [
		['times beyond the audio', (made) => inside(made, recording.samples.length / RATE)],
		['repetition over silence', (made) => withoutUnheard(made, recording, removedRepetitions)],
		['repetition loops', (made) => (removedRepetitions.size > 0 ? withoutLoops(made) : made)],
	];
	for (const { faults, segments: said } of repaired(model, recording, theirs)) {
		let made = said;
		const reasons = [...faults];
		for (const [fault, undo] of undone) {
			const before = made;
			made = undo(before);
			if (!same(made, before)) reasons.push(fault);
		}
		if (same(made, segments)) return reasons.join(' + ');
	}
	return undefined;
}

try {
	const from = argv[2] ?? process.env.EARSHOT_PARITY_RECORDINGS ?? join(GENERATED, 'audio');
	const speech = await recordings(from, Number(argv[3] ?? 60));
	const shape = join(folder, 'tiny.bin');
	const made = spawnSync(process.execPath, [
		join(root, 'fixtures', 'make-shape.mjs'),
		...['--size', 'tiny', '--tokens', '20', '--type', 'q8_0', '--out', shape],
	]);
	if (made.status !== 0) throw new Error(`make-shape.mjs: ${made.stderr}`);
	let unexplained = 0;
	for (const path of [join(GENERATED, 'whisper', 'tones.bin'), shape]) {
		const theirs = plain(
			path,
			speech.map((recording) => recording.path),
		);
		const models = [];
		for (const encoder of await encodersOf(path)) {
			models.push(await addon.loadWhisper({ ...usualLoad, path, ...encoder }));
		}
		/** Recordings that are unexplained with ggml's encoder. */
		const open = new Set();
		for (const model of models) {
			/** @type {Map<string, number>} */
			const explained = new Map();
			let equal = 0;
			let segments = 0;
			for (const [index, recording] of speech.entries()) {
				const result = await ours(model, recording.samples);
				segments += result.segments.length;
				if (same(result.segments, theirs[index])) {
					equal++;
					continue;
				}
				const rounded = async () =>
					model !== models[0] &&
					!open.has(index) &&
					(await roundingOnly(model, models[0], recording.samples));
				const why =
					explain(path, recording, theirs[index], result) ??
					((await rounded()) ? 'rounding of the encoder' : undefined);
				if (why) explained.set(why, (explained.get(why) ?? 0) + 1);
				else {
					unexplained++;
					open.add(index);
					stdout.write(
						`  ${recording.file}: ${JSON.stringify({ theirs: theirs[index], ours: result.segments })}\n`,
					);
				}
			}
			const reasons = [...explained].map(([why, count]) => `${count} ${why}`).join(', ');
			stdout.write(
				`${basename(path)} (${model.info.encoder}): recordings ${speech.length} (${segments} segments), equal ${equal}, explained ` +
					`${[...explained.values()].reduce((sum, count) => sum + count, 0)}${reasons ? ` (${reasons})` : ''}\n`,
			);
		}
		for (const model of models) await model.close();
	}
	stdout.write(`unexplained ${unexplained}\n`);
	process.exitCode = unexplained === 0 ? 0 : 1;
} finally {
	rmSync(folder, { recursive: true, force: true });
}
