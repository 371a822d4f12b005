/**
 * Word error rates of live sessions in each format, beside the same recordings as files of 16 kHz.
 *
 *   npm run accuracy -- live
 *   … --model FILE      ggml file; else build/models/whisper-tiny.en, else ../shared/models
 *   … --speech FOLDER   with MANIFEST.tsv; else EARSHOT_SPEECH, else ../shared/speech, else the bundled three minutes;
 *                       `--speech bundled` for those
 *   … --every 4         only every fourth recording
 *   … --partials        also with partial text, sent as fast as it is spoken, four sessions at a time
 *   … --json FILE       everything seen, beside the table
 *
 * A session sends a recording in tenths of a second and commits it once (`turn_detection` null). Differences are points
 * of word error rate to the file, with 95 % intervals by the paired bootstrap over recordings.
 */

import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { env, stdout } from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { machine } from '../../bench/lib/machine.mjs';
import { modelFile, shortHash } from '../../bench/lib/models.mjs';
import { root } from '../../bench/lib/peers.mjs';
import { earshot } from '../../bench/lib/servers.mjs';
import { wav } from '../../bench/lib/speech.mjs';
import { flagsOf, wholeFrom } from '../../helpers/flags.mjs';
import { pairedDifference } from '../bootstrap.mjs';
import { bundledRecordings, manifestRecordings } from '../recordings.mjs';
import { floatsIn, sampled } from '../samples.mjs';
import { countedWords } from '../text/normalise.mjs';
import { errorCount, errorRate, summed, wordErrors } from '../word-errors.mjs';
import { formats, muLawWav } from './encodings.mjs';

const { values } = flagsOf(import.meta.url, {
	options: {
		model: { type: 'string' },
		speech: { type: 'string' },
		every: { type: 'string', default: '1' },
		partials: { type: 'boolean', default: false },
		json: { type: 'string' },
	},
});
const every = wholeFrom('every', values.every, 1);
const asFile = 'file, 16 kHz';
/** What the lower rate and its 8 bits cost by themselves. */
const asNarrowFile = 'file, pcmu';
const pcm = 'pcm, 24 kHz';
const withPartials = 'with partials';
const bytesAtOnce = 4800;
/** As many sessions as a machine of two cores admits halfway. */
const sessionsAtOnce = 4;

function wantedRecordings() {
	const shared = join(root, '..', 'shared', 'speech');
	const folder = values.speech ?? env.EARSHOT_SPEECH ?? (existsSync(shared) ? shared : 'bundled');
	const all =
		folder === 'bundled'
			? bundledRecordings(join(root, 'fixtures', 'accuracy'))
			: manifestRecordings(folder, { all: false });
	return all.filter(({ kind }) => kind === 'speech').filter((_, at) => at % every === 0);
}

/** @param {string} base @param {Buffer} file */
async function textOfFile(base, file) {
	const form = new FormData();
	form.append('file', new Blob([file]), 'speech.wav');
	const response = await fetch(`${base}/v1/audio/transcriptions`, { method: 'POST', body: form });
	const { text, error } = await response.json();
	if (!response.ok) throw new Error(error.message);
	return text;
}

/**
 * @param {string} base @param {object} input of the session @param {Buffer} audio
 * @param {(position: number) => Promise<void> | undefined} [pace] waits before what begins at this byte is sent
 * @returns {Promise<string>}
 */
function textOfSession(base, input, audio, pace = () => undefined) {
	const socket = new WebSocket(`${base.replace('http', 'ws')}/v1/realtime`);
	const send = (event) => socket.send(JSON.stringify(event));
	const speak = async () => {
		for (let at = 0; at < audio.length; at += bytesAtOnce) {
			await pace(at);
			send({
				type: 'input_audio_buffer.append',
				audio: audio.subarray(at, at + bytesAtOnce).toString('base64'),
			});
		}
		send({ type: 'input_audio_buffer.commit' });
	};
	return new Promise((resolve, reject) => {
		socket.on('error', reject);
		socket.on('close', () => reject(new Error('the session was closed')));
		socket.on('message', (data) => {
			const event = JSON.parse(data.toString());
			switch (event.type) {
				case 'session.created':
					send({
						type: 'session.update',
						session: { type: 'transcription', audio: { input: { ...input, turn_detection: null } } },
					});
					speak().catch(reject);
					break;
				case 'conversation.item.input_audio_transcription.completed':
					resolve(event.transcript);
					socket.close();
					break;
				case 'conversation.item.input_audio_transcription.failed':
				case 'error':
					reject(new Error(event.error.message));
					socket.close();
					break;
			}
		});
	});
}

const model = modelFile(values.model);
const server = await earshot({ measured: { type: 'whisper_cpp', files: { model } } });
/** @type {Record<string, { id: string, text: string, errors: import('../word-errors.mjs').WordErrors }[]>} */
const names = [asFile, asNarrowFile, ...Object.keys(formats), ...(values.partials ? [withPartials] : [])];
const runs = Object.fromEntries(names.map((name) => [name, []]));
const recordings = wantedRecordings();
let seconds = 0;

/** @param {string} name @param {number} at @param {string} text */
function take(name, at, text) {
	const { id, reference } = recordings[at];
	runs[name][at] = { id, text, errors: wordErrors(countedWords(reference), countedWords(text)) };
}

/** @param {number} at of a recording */
async function withPartialText(at) {
	const { path } = await sampled(recordings[at]);
	const audio = formats[pcm].encode(floatsIn(path));
	const startedMs = performance.now();
	const pace = (position) => sleep(startedMs + position / 48 - performance.now());
	const input = { format: formats[pcm].format, partials: true };
	take(withPartials, at, await textOfSession(server.base, input, audio, pace));
}

try {
	for (const [at, recording] of recordings.entries()) {
		const { path, seconds: length } = await sampled(recording);
		const samples = floatsIn(path);
		seconds += length;
		take(asFile, at, await textOfFile(server.base, wav(samples)));
		take(asNarrowFile, at, await textOfFile(server.base, muLawWav(formats.pcmu.encode(samples))));
		for (const [name, { format, encode }] of Object.entries(formats))
			take(name, at, await textOfSession(server.base, { format }, encode(samples)));
	}
	if (values.partials) {
		let next = 0;
		const session = async () => {
			while (next < recordings.length) await withPartialText(next++);
		};
		await Promise.all(Array.from({ length: sessionsAtOnce }, session));
	}
} finally {
	await server.stop();
}

const baseline = runs[asFile];
const rows = Object.entries(runs).map(([name, results]) => {
	const errors = summed(results.map((each) => each.errors));
	const pairs = results.map((each, at) => ({
		words: each.errors.words,
		errors: errorCount(each.errors),
		baseline: errorCount(baseline[at].errors),
	}));
	return { name, errors, rate: errorRate(errors), toFile: pairedDifference(pairs) };
});
const changed = (name) => runs[name].filter(({ text }, at) => text !== baseline[at].text).length;
const signed = (points) => `${points < 0 ? '-' : '+'}${Math.abs(points).toFixed(2)}`;
stdout.write(
	`${baseline.length} recordings, ${Math.round(seconds)} s, ${rows[0].errors.words} words; ${shortHash(model)}\n\n`,
);
stdout.write(`${''.padEnd(16)} WER %  sub/del/ins    points to the file, 95 %   texts not the file's\n`);
for (const { name, rate, errors, toFile } of rows) {
	const changes = `${errors.substituted}/${errors.deleted}/${errors.inserted}`;
	const difference = `${signed(toFile.difference)} (${signed(toFile.low)} ${signed(toFile.high)})`;
	stdout.write(
		`${name.padEnd(16)} ${rate.toFixed(2).padStart(5)}  ${changes.padEnd(14)} ${difference.padEnd(26)} ${changed(name)}\n`,
	);
}
if (values.json !== undefined)
	writeFileSync(
		values.json,
		JSON.stringify({ machine: machine(), model: shortHash(model), rows, runs }, null, '\t'),
	);
