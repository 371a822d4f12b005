// @ts-check
/**
 * Who speaks when: error rates, the number of speakers, known voices and words, on conversations joined from recordings.
 *
 *   npm run accuracy -- diarization   with the networks and conversations of ../shared/diarization
 *   … --data FOLDER                   of recipe.json
 *   … --segmentation FILE --embedding FILE
 *   … --speech FOLDER                 of the recordings that the recipe names; else ../shared/speech
 *   … --words                         and whose words those are that Whisper writes: words.mjs says how it is counted
 *   … --model FILE                    by this ggml file; else build/models/whisper-tiny.en, else ../shared/models
 */

import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { cpuUsage, stdout } from 'node:process';
import { findSherpaLibrary } from '../../../dist/addon/libraries.js';
import { decoder } from '../../../dist/audio/decode.js';
import { loadSpeakerNetworks } from '../../../dist/diarization/networks.js';
import { diarizeRecording } from '../../../dist/diarization/recording.js';
import { Semaphore } from '../../../dist/diarization/semaphore.js';
import { createTranscriber } from '../../../dist/index.js';
import { modelFile } from '../../bench/lib/models.mjs';
import { root } from '../../bench/lib/peers.mjs';
import { wav } from '../../bench/lib/speech.mjs';
import { flagsOf } from '../../helpers/flags.mjs';
import { transcriptsIn } from '../recordings.mjs';
import { conversationOf, recipesIn, utterance } from './conversations.mjs';
import { errorsOf, pooled, rateOf } from './error-rate.mjs';
import { wordsRight } from './words.mjs';

const shared = join(root, '..', 'shared');
const models = join(shared, 'diarization', 'models');
const { values } = flagsOf(import.meta.url, {
	options: {
		data: { type: 'string', default: join(shared, 'diarization') },
		segmentation: { type: 'string', default: join(models, 'pyannote-segmentation-3.0.onnx') },
		embedding: { type: 'string', default: join(models, 'campplus-sv-zh-en-16k-common.onnx') },
		speech: { type: 'string', default: join(shared, 'speech') },
		words: { type: 'boolean', default: false },
		model: { type: 'string' },
	},
});

const libraryDir = findSherpaLibrary(undefined);
const files = { segmentation: resolve(values.segmentation), embedding: resolve(values.embedding) };
const networks = await loadSpeakerNetworks({ ...files, libraryDir, threads: 1 });
const parts = {
	networks,
	openAudio: decoder({ maxAudioSeconds: 14_400 }),
	threshold: 0.33,
	semaphore: new Semaphore(1),
};

/** @param {Buffer} bytes @param {import('../../../dist/core/speech/speakers.js').KnownVoice[]} known */
async function foundIn(bytes, known = []) {
	const events = diarizeRecording(parts, { bytes }, { known }, new AbortController().signal);
	for await (const event of events) if (event.type === 'speakers') return event.found;
	throw new Error('no speakers');
}

const recipes = recipesIn(values.data);
const people = [...new Set(recipes.flatMap(({ levels }) => Object.keys(levels)))];

/**
 * The first seconds of an utterance of each person that is not in the conversation: of another conversation, else one
 * that lies beside them.
 */
async function referencesFor(/** @type {typeof recipes[number]} */ recipe, /** @type {number} */ seconds) {
	const own = new Set(recipe.turns.map(({ file }) => file));
	const known = [];
	for (const name of people) {
		const used = recipes.flatMap(({ turns }) =>
			turns.filter(({ speaker }) => speaker === name).map(({ file }) => file),
		);
		const folder = dirname(used[0] ?? '');
		const beside = readdirSync(join(values.speech, folder)).filter((file) => file.startsWith(name));
		const others = new Set([...used, ...beside.map((file) => join(folder, file))]);
		for (const file of [...others].filter((each) => !own.has(each))) {
			const { samples } = await utterance(join(values.speech, file));
			if (samples.length < seconds * 16_000) continue;
			const bytes = wav(Float32Array.from(samples.subarray(0, seconds * 16_000)));
			known.push({ name, reference: { bytes } });
			break;
		}
	}
	return known;
}

const row = (/** @type {(string | number)[]} */ cells) =>
	stdout.write(`${cells.map((cell, at) => String(cell).padStart(at === 0 ? 6 : 11)).join('')}\n`);
const percent = (/** @type {number} */ value) => value.toFixed(2);

const writer = values.words ? await openWords(modelFile(values.model)) : undefined;
const transcripts = writer ? transcriptsIn(values.speech) : new Map();
const counts = { right: 0, pairs: 0, said: 0 };

stdout.write('diarization error rate in percent, overlap counted; known: named right / missed / falsely\n');
row([
	'',
	'speakers',
	'found',
	'0 s',
	'0.25 s',
	'missed',
	'false',
	'confused',
	'CPU s/s',
	'known 2 s',
	'known 4 s',
	...(writer ? ['words'] : []),
]);
const exact = [];
const collared = [];
const names = { right: 0, missed: 0, wrong: 0 };
let counted = 0;
for (const recipe of recipes) {
	const { samples, truth } = await conversationOf(recipe, values.speech);
	const bytes = wav(samples);
	const before = cpuUsage();
	const found = await foundIn(bytes);
	const { user, system } = cpuUsage(before);
	const errors = errorsOf(truth, [...found.turns]);
	const forgiving = errorsOf(truth, [...found.turns], 0.25);
	exact.push(errors);
	collared.push(forgiving);
	const count = Object.keys(recipe.levels).length;
	if (count === found.speakers.length) counted++;
	const known = [];
	for (const seconds of [2, 4]) {
		const named = await foundIn(bytes, await referencesFor(recipe, seconds));
		const score = namesIn(named, truth);
		for (const key of /** @type {const} */ (['right', 'missed', 'wrong'])) names[key] += score[key];
		known.push(`${score.right}/${score.missed}/${score.wrong}`);
	}
	const words = [];
	if (writer) {
		const said = recipe.turns.map(({ file, speaker }) => ({ text: transcripts.get(file) ?? '', speaker }));
		const own = wordsRight(said, await writer.write(bytes));
		for (const key of /** @type {const} */ (['right', 'pairs', 'said'])) counts[key] += own[key];
		words.push(percent((100 * own.right) / own.pairs));
	}
	const share = (/** @type {number} */ seconds) => percent((100 * seconds) / errors.total);
	row([
		recipe.name,
		count,
		found.speakers.length,
		percent(rateOf(errors)),
		percent(rateOf(forgiving)),
		share(errors.missed),
		share(errors.falseAlarm),
		share(errors.confused),
		((user + system) / 1e6 / recipe.seconds).toFixed(4),
		...known,
		...words,
	]);
}
row(['all', recipes.length, counted, percent(rateOf(pooled(exact))), percent(rateOf(pooled(collared)))]);
stdout.write(
	`known voices, 2 and 4 s: ${names.right} right, ${names.missed} missed, ${names.wrong} falsely named\n`,
);
await networks.close();
if (writer) {
	await writer.close();
	stdout.write(
		`words with the right speaker: ${percent((100 * counts.right) / counts.pairs)} %, ${counts.right} of ${counts.pairs} ` +
			`that can be set beside the ${counts.said} that were said\n`,
	);
}

/**
 * @param {import('../../../dist/core/speech/speakers.js').FoundSpeakers} found
 * @param {import('./error-rate.mjs').Turn[]} truth
 */
function namesIn({ turns, speakers }, truth) {
	const score = { right: 0, missed: 0, wrong: 0 };
	speakers.forEach(({ name }, speaker) => {
		/** @type {Map<string | number, number>} */
		const together = new Map();
		for (const turn of turns.filter((each) => each.speaker === speaker))
			for (const true_ of truth) {
				const seconds = Math.min(turn.end, true_.end) - Math.max(turn.start, true_.start);
				if (seconds > 0) together.set(true_.speaker, (together.get(true_.speaker) ?? 0) + seconds);
			}
		const [person] = [...together].sort((a, b) => b[1] - a[1])[0] ?? [''];
		if (name === null) score.missed++;
		else if (name === person) score.right++;
		else score.wrong++;
	});
	return score;
}

/** A transcriber that tells speakers apart, and how it is closed. */
async function openWords(/** @type {string} */ model) {
	const folder = mkdtempSync(join(tmpdir(), 'earshot-diarization-'));
	const config = join(folder, 'models.yaml');
	const entries = {
		whisper: { type: 'whisper_cpp', files: { model } },
		diarization: { type: 'diarization', files },
	};
	writeFileSync(config, JSON.stringify({ models: entries }));
	const transcriber = await createTranscriber({ model: 'whisper', config });
	return {
		/** @param {Buffer} bytes @returns {Promise<import('./words.mjs').Said[]>} */
		async write(bytes) {
			const { segments } = await transcriber.transcribe(bytes, { diarize: true, words: true });
			return segments.flatMap(({ words = [] }) =>
				words.map(({ word, speaker = '' }) => ({ text: word, speaker })),
			);
		},
		async close() {
			await transcriber.close();
			rmSync(folder, { recursive: true, force: true });
		},
	};
}
