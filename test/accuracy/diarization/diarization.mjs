// @ts-check
/**
 * Who speaks when: error rates, the number of speakers, known voices and words, on conversations joined from recordings.
 *
 *   npm run accuracy -- diarization   with the networks and conversations of ../shared/diarization
 *   … --data FOLDER                   of recipe.json
 *   … --segmentation FILE --embedding FILE
 *   … --speech FOLDER                 of the recordings that the recipe names; else ../shared/speech
 *   … --words FILE                    and words by this ggml file of Whisper, against the truth
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpuUsage, stdout } from 'node:process';
import { findSherpaLibrary } from '../../../dist/addon/libraries.js';
import { decoder } from '../../../dist/audio/decode.js';
import { Lanes } from '../../../dist/diarization/lanes.js';
import { loadSpeakerNetworks } from '../../../dist/diarization/networks.js';
import { diarizeRecording } from '../../../dist/diarization/recording.js';
import { createTranscriber } from '../../../dist/index.js';
import { root } from '../../bench/lib/peers.mjs';
import { wav } from '../../bench/lib/speech.mjs';
import { flagsOf } from '../../helpers/flags.mjs';
import { conversationOf, recipesIn, utterance } from './conversations.mjs';
import { errorsOf, pooled, rateOf } from './error-rate.mjs';

const shared = join(root, '..', 'shared');
const models = join(shared, 'diarization', 'models');
const { values } = flagsOf(import.meta.url, {
	options: {
		data: { type: 'string', default: join(shared, 'diarization') },
		segmentation: { type: 'string', default: join(models, 'pyannote-segmentation-3.0.onnx') },
		embedding: { type: 'string', default: join(models, 'campplus-sv-zh-en-16k-common.onnx') },
		speech: { type: 'string', default: join(shared, 'speech') },
		words: { type: 'string', default: '' },
	},
});

const libraryDir = findSherpaLibrary(undefined);
const files = { segmentation: values.segmentation, embedding: values.embedding };
const networks = await loadSpeakerNetworks({ ...files, libraryDir, threads: 1 });
const parts = {
	networks,
	openAudio: decoder({ maxAudioSeconds: 14_400 }),
	threshold: 0.33,
	lanes: new Lanes(1),
};

/** @param {Buffer} bytes @param {import('../../../dist/speech/speakers.js').KnownVoice[]} known */
async function foundIn(bytes, known = []) {
	const events = diarizeRecording(parts, { bytes }, { known }, new AbortController().signal);
	for await (const event of events) if (event.type === 'speakers') return event.found;
	throw new Error('no speakers');
}

const recipes = recipesIn(values.data);
const people = [...new Set(recipes.flatMap(({ levels }) => Object.keys(levels)))];

/** The first seconds of an utterance of each person that is not in the conversation. */
async function referencesFor(/** @type {typeof recipes[number]} */ recipe, /** @type {number} */ seconds) {
	const own = new Set(recipe.turns.map(({ file }) => file));
	const known = [];
	for (const name of people) {
		const others = recipes.flatMap(({ turns }) =>
			turns.filter(({ speaker, file }) => speaker === name && !own.has(file)),
		);
		for (const { file } of others) {
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
	stdout.write(`${cells.map((cell, at) => String(cell).padStart(at === 0 ? 12 : 9)).join('')}\n`);
const percent = (/** @type {number} */ value) => value.toFixed(2);

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
]);
const exact = [];
const collared = [];
const names = { right: 0, missed: 0, wrong: 0 };
let counted = 0;
/** @type {{ bytes: Buffer, truth: import('./error-rate.mjs').Turn[] }[]} */
const talks = [];
for (const recipe of recipes) {
	const { samples, truth } = await conversationOf(recipe, values.speech);
	const bytes = wav(samples);
	talks.push({ bytes, truth });
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
	]);
}
row(['all', recipes.length, counted, percent(rateOf(pooled(exact))), percent(rateOf(pooled(collared)))]);
stdout.write(
	`known voices, 2 and 4 s: ${names.right} right, ${names.missed} missed, ${names.wrong} falsely named\n`,
);
await networks.close();
if (values.words !== '') await words(values.words);

/**
 * @param {import('../../../dist/speech/speakers.js').FoundSpeakers} found
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

/** The share of Whisper's words that are given to who spoke then. */
async function words(/** @type {string} */ model) {
	const folder = mkdtempSync(join(tmpdir(), 'earshot-diarization-'));
	try {
		const config = join(folder, 'models.yaml');
		const entries = {
			whisper: { type: 'whisper_cpp', files: { model } },
			diarization: { type: 'diarization', files },
		};
		writeFileSync(config, JSON.stringify({ models: entries }));
		const transcriber = await createTranscriber({ model: 'whisper', config });
		let [right, all] = [0, 0];
		for (const { bytes, truth } of talks) {
			const { segments } = await transcriber.transcribe(bytes, { diarize: true, words: true });
			const told = segments.flatMap((segment) => segment.words ?? []);
			const asTurns = told.map(({ start, end, speaker = '' }) => ({ start, end, speaker }));
			const mapping = mappingOf(asTurns, truth);
			for (const { start, end, speaker } of asTurns) {
				const spoken = truth.filter((turn) => turn.start < end && turn.end > start);
				if (spoken.length === 0) continue;
				all++;
				if (spoken.some((turn) => turn.speaker === mapping.get(speaker))) right++;
			}
		}
		await transcriber.close();
		stdout.write(`words with the right speaker: ${right} of ${all}, ${percent((100 * right) / all)} %\n`);
	} finally {
		rmSync(folder, { recursive: true, force: true });
	}
}

/**
 * @param {{ start: number, end: number, speaker: string }[]} told @param {import('./error-rate.mjs').Turn[]} truth
 */
function mappingOf(told, truth) {
	/** @type {Map<string, Map<string | number, number>>} */
	const together = new Map();
	for (const { start, end, speaker } of told)
		for (const turn of truth) {
			const seconds = Math.min(turn.end, end) - Math.max(turn.start, start);
			if (seconds <= 0) continue;
			const row = together.get(speaker) ?? new Map();
			row.set(turn.speaker, (row.get(turn.speaker) ?? 0) + seconds);
			together.set(speaker, row);
		}
	return new Map(
		[...together].map(([speaker, row]) => [speaker, [...row].sort((a, b) => b[1] - a[1])[0]?.[0]]),
	);
}
