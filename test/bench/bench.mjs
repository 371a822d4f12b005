/**
 * Earshot beside its peers: each trial in processes of its own, both sides in turn in one run, ratios printed.
 *
 *   npm run bench                        all trials
 *   npm run bench -- throughput sherpa   some of them
 *   npm run bench -- live                those whose names begin so
 *   npm run bench -- --list              what there is
 *   … --real                             Whisper tiny.en and recordings of people, faster-whisper beside them
 *   … --rounds 3                         how often the sides take turns; medians count
 *   … --seconds 20                       how long a crowd asks
 *   … --json FILE                        everything seen, beside the table
 *
 * Takes a quiet machine: whatever else runs is measured too. Not a test: nothing fails, figures are shown.
 */

import { writeFileSync } from 'node:fs';
import { stderr, stdout } from 'node:process';
import { flagsOf, refuse, wholeFrom } from '../helpers/flags.mjs';
import { machine } from './lib/machine.mjs';
import { busyMachine } from './trials/busy.mjs';
import { liveFlood } from './trials/live-flood.mjs';
import { liveLatency } from './trials/live-latency.mjs';
import { liveMixed } from './trials/live-mixed.mjs';
import { liveBatches, liveStreams } from './trials/live-streams.mjs';
import { liveTurns } from './trials/live-turns.mjs';
import { overhead } from './trials/overhead.mjs';
import { realLong, realThroughput } from './trials/real.mjs';
import { latency, longFile, throughput } from './trials/server.mjs';
import { sherpa } from './trials/sherpa.mjs';
import { cancelling, memory, survival } from './trials/steadiness.mjs';
import { whisper } from './trials/whisper.mjs';

/**
 * @typedef {object} Settings
 * @property {number} rounds
 * @property {number} seconds
 * @property {(line: string) => void} report progress
 *
 * @typedef {object} Figure
 * @property {string} what
 * @property {string} seen
 * @property {string} [beside] the peer's
 * @property {number} [ratio]
 * @property {number} [atLeast] or
 * @property {number} [atMost] what the ratio, or where there is none the value, is to be
 * @property {number} [value]
 * @property {string} model file and hash
 */

/** @typedef {Record<string, { about: string, run: (settings: Settings) => Promise<Figure[]> }>} Trials */

/** Weights are made up, but for Whisper's in live sessions. @type {Trials} */
const madeUp = {
	throughput: { about: 'Whisper base shape, 1, 8 and 32 clients beside whisper-server', run: throughput },
	long: { about: 'one 10-minute recording beside whisper-server', run: longFile },
	latency: { about: '3 s clips alone, and while a 10-minute recording runs', run: latency },
	whisper: {
		about: 'one clip on one thread beside whisper-cli and whisper.node, and what a token costs',
		run: whisper,
	},
	sherpa: { about: 'Zipformer, SenseVoice and CTC transformer shapes beside sherpa-onnx-node', run: sherpa },
	'live-batches': {
		about: 'live streams of streaming Zipformer shapes, decoded together beside one by one',
		run: liveBatches,
	},
	'live-streams': {
		about: 'a streaming Zipformer shape: the most live streams in real time on one thread',
		run: liveStreams,
	},
	'live-turns': {
		about: 'Whisper tiny.en by turns: the most sessions in real time that keep up',
		run: liveTurns,
	},
	'live-latency': {
		about: 'one session in real time: its first text, and its whole text after the silence',
		run: liveLatency,
	},
	'live-mixed': {
		about: 'Whisper tiny.en: live sessions, dictations and a recording of an hour beside each other',
		run: liveMixed,
	},
	'live-flood': {
		about: 'Whisper tiny.en: the memory that a client adds who sends at 100 times real time',
		run: liveFlood,
	},
	overhead: { about: 'requests per second with an engine that does nothing', run: overhead },
	memory: { about: 'resident memory over 2,000 mixed requests', run: memory },
	survival: { about: 'requests lost when a host is killed', run: survival },
	cancelling: { about: 'how soon a cancelled clip leaves its batch', run: cancelling },
};

/** @type {Trials} */
const real = {
	throughput: {
		about:
			'Whisper tiny.en, 80 clips of 7 s, 1, 8 and 32 clients; over HTTP: earshot, whisper-server; in process: faster-whisper',
		run: realThroughput,
	},
	busy: {
		about: 'Whisper tiny.en, dictations beside as many endless loops as cores; earshot, whisper-server',
		run: busyMachine,
	},
	long: {
		about:
			'Whisper tiny.en, one long recording; over HTTP: earshot, whisper-server; in process: faster-whisper',
		run: realLong,
	},
};

const { values, positionals } = flagsOf(import.meta.url, {
	allowPositionals: true,
	options: {
		rounds: { type: 'string', default: '3' },
		seconds: { type: 'string', default: '20' },
		json: { type: 'string' },
		real: { type: 'boolean', default: false },
		list: { type: 'boolean', default: false },
	},
});

/** @param {Figure} figure */
function verdict({ ratio, value, atLeast, atMost }) {
	const number = ratio ?? value;
	if (number === undefined || (atLeast === undefined && atMost === undefined)) return '';
	const wanted = atLeast === undefined ? `at most ${atMost}` : `at least ${atLeast}`;
	const met = atLeast === undefined ? number <= (atMost ?? 0) : number >= atLeast;
	return `${met ? 'met' : 'MISSED'}: ${wanted}`;
}

/** @param {Figure} figure */
function line(figure) {
	const { what, seen, beside, ratio } = figure;
	const times = ratio === undefined ? '' : `${ratio.toFixed(2)}x`;
	return [what, seen, beside ?? '', times, verdict(figure)].join(' | ');
}

const trials = values.real ? real : madeUp;

if (values.list) {
	for (const [name, { about }] of Object.entries(trials)) stdout.write(`${name.padEnd(13)} ${about}\n`);
} else {
	const isMeant = (/** @type {string} */ name, /** @type {string} */ given) =>
		name === given || name.startsWith(`${given}-`);
	const names = Object.keys(trials).filter(
		(name) => positionals.length === 0 || positionals.some((given) => isMeant(name, given)),
	);
	const unknown = positionals.find((given) => !Object.keys(trials).some((name) => isMeant(name, given)));
	if (unknown)
		refuse(
			`Expected trials${values.real ? ' with --real' : ''} of ${Object.keys(trials).join(', ')}, got \`${unknown}\``,
		);
	const rounds = wholeFrom('rounds', values.rounds, 1);
	const seconds = wholeFrom('seconds', values.seconds, 1);
	const about = machine();
	const { processor, cores, memoryGiB, system, node, commit, loadBefore } = about;
	stdout.write(
		`${processor}, ${cores} cores, ${memoryGiB} GiB, ${system}, Node ${node}, commit ${commit}, load ${loadBefore.toFixed(2)}\n`,
	);
	const settings = {
		rounds,
		seconds,
		report: (text) => stderr.write(`${text}\n`),
	};
	/** @type {Figure[]} */
	const figures = [];
	for (const name of names) {
		stdout.write(`\n${name}: ${trials[name].about}\n`);
		for (const figure of await trials[name].run(settings)) {
			figures.push(figure);
			stdout.write(`  ${line(figure)}\n`);
		}
	}
	const models = new Set(figures.map(({ model }) => model));
	stdout.write(`\nmodels: ${[...models].join('; ')}\n`);
	if (values.json)
		writeFileSync(values.json, `${JSON.stringify({ machine: about, figures }, undefined, '\t')}\n`);
}
