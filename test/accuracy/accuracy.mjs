/**
 * Word error rates of every encoder, decoder type, audio context and beam, beside those of others.
 *
 *   npm run accuracy                  the default, each change of it, and combinations worth choosing
 *   npm run accuracy -- --all         every combination
 *   … --only 'int8 q8_0'              of those, the ones whose names contain it (the reference and the default stay)
 *   … --peers                         beside whisper-cli, faster-whisper and openai-whisper (Python and some GB)
 *   … --ctranslate2 FOLDER            the same weights for faster-whisper, where they are not tiny.en's
 *   … --model FILE                    ggml file; else build/models/whisper-tiny.en, else ../shared/models
 *   … --speech FOLDER                 with MANIFEST.tsv; else EARSHOT_SPEECH, else ../shared/speech, else the bundled
 *                                     three minutes; `--speech bundled` for those
 *   … --all-speech                    every recording with a transcript that can be trusted
 *   … --rounds 3                      every configuration so often in turn, without words' times: speeds are medians
 *   … --same 10000                    nothing but so many requests with the default, 8 at once: is each recording's
 *                                     answer, numbers and all, always the same?
 *   … --json FILE                     everything seen, beside the table
 *
 * Word errors are the same on a busy machine; speeds are not, and seconds of a core nearly.
 */

import { spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { env, execPath, exit, stderr, stdout } from 'node:process';
import { fileURLToPath } from 'node:url';
import { sherpaLibraryIfAny } from '../../dist/addon/libraries.js';
import { encoderFor } from '../../dist/engines/whisper/encoder.js';
import { machine } from '../bench/lib/machine.mjs';
import { modelFile, shortHash } from '../bench/lib/models.mjs';
import { root } from '../bench/lib/peers.mjs';
import { median } from '../bench/lib/statistics.mjs';
import { flagsOf, refuse, wholeFrom } from '../helpers/flags.mjs';
import { configurationsOf, encoders, floatsOf, nameOf, reference } from './configurations.mjs';
import { peers } from './peers/peers.mjs';
import { bundledRecordings, manifestRecordings } from './recordings.mjs';
import { sampled } from './samples.mjs';
import { differenceOf, score } from './score.mjs';
import { accuracyTable, arithmeticTable, longTable, speedTable } from './table.mjs';
import { startDifferences, wordTimesLine } from './word-times.mjs';

const { values } = flagsOf(import.meta.url, {
	options: {
		all: { type: 'boolean', default: false },
		only: { type: 'string', default: '' },
		peers: { type: 'boolean', default: false },
		ctranslate2: { type: 'string' },
		model: { type: 'string' },
		speech: { type: 'string' },
		'all-speech': { type: 'boolean', default: false },
		rounds: { type: 'string', default: '0' },
		same: { type: 'string', default: '0' },
		json: { type: 'string' },
	},
});
const rounds = wholeFrom('rounds', values.rounds, 0);
const same = wholeFrom('same', values.same, 0);
const atOnce = 8;
const progress = (/** @type {string} */ line) => stderr.write(`${line}\n`);

function wantedRecordings() {
	const shared = join(root, '..', 'shared', 'speech');
	const folder = values.speech ?? env.EARSHOT_SPEECH ?? (existsSync(shared) ? shared : 'bundled');
	if (folder !== 'bundled' && !existsSync(join(folder, 'MANIFEST.tsv')))
		refuse(`Expected \`--speech\` to be a folder with MANIFEST.tsv, or \`bundled\`, got \`${folder}\``);
	return folder === 'bundled'
		? bundledRecordings(join(root, 'fixtures', 'accuracy'))
		: manifestRecordings(folder, { all: values['all-speech'] });
}

/** With samples; what cannot be read is told and left out. */
async function readable(/** @type {import('./recordings.mjs').Recording[]} */ recordings) {
	const read = [];
	for (const recording of recordings) {
		try {
			read.push({ ...recording, ...(await sampled(recording)) });
		} catch (thrown) {
			progress(`without ${recording.id}: ${thrown instanceof Error ? thrown.message : thrown}`);
		}
	}
	return read;
}

/** @param {object} task @returns {Promise<{ elapsed: number, processor: number, encoder: string, decoder: string, results: import('./score.mjs').Outcome[], changed: { id: string, first: string, now: string }[] }>} */
function ours(task) {
	const script = fileURLToPath(new URL('ours.mjs', import.meta.url));
	return new Promise((resolve, reject) => {
		const child = spawn(execPath, [script], {
			stdio: ['pipe', 'pipe', 'inherit'],
			env: { ...env, UV_THREADPOOL_SIZE: `${2 * availableParallelism() + 4}` },
		});
		let line = '';
		child.stdout.setEncoding('utf8').on('data', (chunk) => {
			line += chunk;
		});
		child.on('error', reject);
		child.on('close', (status) =>
			status === 0 ? resolve(JSON.parse(line)) : reject(new Error(`a run ended with ${status}`)),
		);
		child.stdin.end(JSON.stringify(task));
	});
}

const model = modelFile(values.model);
const choice = (/** @type {string} */ requested) =>
	encoderFor({ requested, path: model, libraryDir: sherpaLibraryIfAny(undefined), useGpu: false });
const available = encoders.filter((encoder) => {
	const { encoder: chosen, reason } = choice(encoder);
	if (chosen !== encoder) progress(`without ${encoder}: ${reason}`);
	return chosen === encoder;
});
const auto = { encoder: choice('auto').encoder, decoderWeights: 'as-is' };
const { usual, configurations } = configurationsOf(available, auto, values.all);
const kept = new Set([nameOf(reference), nameOf(usual)]);
const chosen = configurations.filter((each) => kept.has(nameOf(each)) || nameOf(each).includes(values.only));

const recordings = await readable(wantedRecordings());
const short = recordings.filter(({ kind }) => kind !== 'long');
const long = recordings.filter(({ kind }) => kind === 'long');
const secondsOf = (/** @type {{ seconds: number }[]} */ all) =>
	all.reduce((sum, each) => sum + each.seconds, 0);
const tasksOf = (/** @type {typeof recordings} */ all) => all.map(({ id, path }) => ({ id, path }));

/**
 * @typedef {object} Run
 * @property {string} name
 * @property {import('./configurations.mjs').Configuration} [configuration] of ours
 * @property {import('./score.mjs').Outcome[]} outcomes
 * @property {number[]} speeds audio seconds a second
 * @property {number[]} thrift audio seconds a second of one core; busy neighbours change it little
 */

/** @type {Run[]} */
const runs = [];

async function runOurs() {
	for (const configuration of chosen) {
		const task = { model, configuration, recordings: tasksOf(short), words: true, atOnce };
		const { elapsed, processor, encoder, decoder, results } = await ours(task);
		runs.push({
			name: nameOf(configuration),
			configuration,
			outcomes: results,
			speeds: [secondsOf(short) / elapsed],
			thrift: [secondsOf(short) / processor],
		});
		progress(`${nameOf(configuration)}: ${elapsed.toFixed(0)} s, ${encoder} and ${decoder}`);
		report();
	}
}

/** Files of minutes, with the reference and the default alone: they take as long as all the rest. */
async function runLong() {
	for (const run of runs.filter(({ name }) => kept.has(name) && long.length > 0)) {
		const { configuration } = run;
		const { elapsed, results } = await ours({
			model,
			configuration,
			recordings: tasksOf(long),
			words: true,
			atOnce,
		});
		run.outcomes.push(...results);
		progress(`${run.name}, long files: ${elapsed.toFixed(0)} s`);
	}
	report();
}

/** In turn, so that what else the machine does meets all alike. */
async function runForSpeed() {
	const measured = runs.filter(({ configuration }) => configuration !== undefined);
	for (let round = 0; round < rounds; round++) {
		for (const run of measured) {
			const { configuration } = run;
			const task = { model, configuration, recordings: tasksOf(short), words: false, atOnce };
			const { elapsed, processor, results } = await ours(task);
			const speed = secondsOf(short) / elapsed;
			const thrift = secondsOf(short) / processor;
			const [now, before] = [score(run.name, short, results), scoreOf(run)];
			if (now.rate !== before.rate) progress(`${run.name}: ${now.rate.toFixed(2)} % without times of words`);
			run.speeds = round === 0 ? [speed] : [...run.speeds, speed];
			run.thrift = round === 0 ? [thrift] : [...run.thrift, thrift];
			progress(`${run.name}: ${speed.toFixed(1)} audio seconds a second`);
		}
	}
	report();
}

function runPeers() {
	for (const peer of peers(model, values.ctranslate2, availableParallelism(), progress)) {
		try {
			const { elapsed, results } = peer.transcribe(tasksOf(short));
			if (long.length > 0) results.push(...peer.transcribe(tasksOf(long)).results);
			runs.push({ name: peer.name, outcomes: results, speeds: [secondsOf(short) / elapsed], thrift: [] });
			progress(`${peer.name}: ${elapsed.toFixed(0)} s`);
		} catch (thrown) {
			progress(`without ${peer.name}: ${thrown instanceof Error ? thrown.message : thrown}`);
		}
		report();
	}
}

const scoreOf = (/** @type {Run} */ { name, outcomes }) => {
	const ids = new Set(outcomes.map(({ id }) => id));
	return score(
		name,
		recordings.filter(({ id }) => ids.has(id)),
		outcomes,
	);
};

/** @param {import('./score.mjs').Score[]} scores @param {number} at of `runs` */
function beside(scores, at) {
	const { configuration } = runs[at];
	if (configuration === undefined) return undefined;
	const names = floatsOf(configuration);
	const float = names
		.map((name) => scores.find((each) => each.name === name))
		.find((each) => each !== undefined);
	if (float === undefined || float === scores[at]) return undefined;
	return { to: float.name, points: differenceOf(scores[at], float) };
}

function rowsNow() {
	const scores = runs.map(scoreOf);
	const [float] = scores;
	const standard = scores.find(({ name }) => name === nameOf(usual)) ?? float;
	return scores.map((each, at) => ({
		score: each,
		toFloat: differenceOf(each, float),
		toDefault: differenceOf(each, standard),
		alone: beside(scores, at),
		speed: median(runs[at].speeds),
		thrift: median(runs[at].thrift),
		timed: runs[at].configuration !== undefined,
	}));
}

/** The default's words beside those of each peer that has times of words. */
function wordTimes() {
	const usualRun = runs.find(({ name }) => name === nameOf(usual));
	const ours = new Map(usualRun?.outcomes.map(({ id, words = [] }) => [id, words]));
	return runs
		.filter(({ configuration, outcomes }) => !configuration && outcomes.some(({ words }) => words?.length))
		.map(({ name, outcomes }) =>
			wordTimesLine(
				nameOf(usual),
				name,
				outcomes.flatMap(({ id, words = [] }) => startDifferences(ours.get(id) ?? [], words)),
			),
		);
}

/** So far: what is stopped half-way has told what it saw. */
function report() {
	if (values.json === undefined) return;
	const all = rowsNow().map((row, at) => ({ ...row, outcomes: runs[at].outcomes, speeds: runs[at].speeds }));
	const said = recordings.map(({ id, kind, reference: text, seconds }) => ({ id, kind, text, seconds }));
	writeFileSync(
		values.json,
		JSON.stringify({ machine: of, model: shortHash(model), recordings: said, rows: all }),
	);
}

/** @returns {Promise<number>} the exit code */
async function runSame() {
	const task = {
		model,
		configuration: usual,
		recordings: tasksOf(short),
		words: true,
		atOnce,
		requests: same,
	};
	const { elapsed, changed } = await ours(task);
	for (const { id, first, now } of changed)
		progress(`${id}: ${JSON.stringify(first)}, then ${JSON.stringify(now)}`);
	stdout.write(
		`${nameOf(usual)}: ${same} requests of ${short.length} recordings, ${atOnce} at once, in ${elapsed.toFixed(0)} s; ` +
			`${changed.length} answers differ from the first\n`,
	);
	return changed.length === 0 ? 0 : 1;
}

const of = machine();
if (same > 0) exit(await runSame());
await runOurs();
if (values.peers) runPeers();
await runForSpeed();
await runLong();

const rows = rowsNow();
const speech = recordings.filter(({ kind }) => kind === 'speech').length;
stdout.write(
	[
		`${of.processor}, ${of.cores} cores, commit ${of.commit}, ${of.date}\n` +
			`model ${shortHash(model)}; ${speech} recordings, ${rows[0].score.errors.words} words; ` +
			`default: ${nameOf(usual)}`,
		accuracyTable(rows),
		arithmeticTable(rows),
		speedTable(rows, rows.find(({ score: { name } }) => name === nameOf(usual)) ?? rows[0]),
		longTable(rows),
		...wordTimes(),
		...rows.flatMap(({ score: { name, fromNothing } }) =>
			fromNothing.map(
				({ id, text }) => `${name} wrote where nobody speaks, ${id}: ${JSON.stringify(text.trim())}`,
			),
		),
		'',
	].join('\n\n'),
);
