// Live sessions, dictations and uploads beside each other for a long time, many of them given up midway: memory, open
// handles and sessions must not grow, and nothing may be left when all clients have gone. Exit code 1 otherwise.
//
//   npm run soak                       20 minutes
//   npm run soak -- --minutes 480
//
// Whisper tiny.en and a streaming model of the tests; what is said comes from fixtures/accuracy. Linux only, since it
// reads /proc.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import process, { stdout } from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { decoded } from '../accuracy/samples.mjs';
import { root } from '../bench/lib/peers.mjs';
import { earshot, processTree } from '../bench/lib/servers.mjs';
import { wav } from '../bench/lib/speech.mjs';
import { flagsOf, wholeFrom } from '../helpers/flags.mjs';
import { growthOf } from './growth.mjs';
import { heapOf } from './heap.mjs';
import { comeAndGo, dictate, nothingYet, speakOn, upload } from './load.mjs';

const { values } = flagsOf(import.meta.url, { options: { minutes: { type: 'string', default: '20' } } });
const minutes = wholeFrom('minutes', values.minutes, 1);
const sampleEveryMs = 5000;
const say = (line) => stdout.write(`${line}\n`);

const whisper = path.join(root, 'build', 'models', 'whisper-tiny.en', 'ggml-tiny.en.bin');
const streaming = path.join(root, 'fixtures', 'generated', 'sherpa', 'streaming_zipformer_ctc');
const server = await earshot({
	whisper: { type: 'whisper_cpp', files: { model: whisper } },
	streaming: {
		type: 'streaming_zipformer_ctc',
		files: { model: path.join(streaming, 'model.onnx'), tokens: path.join(streaming, 'tokens.txt') },
	},
});

const recording = async (name) =>
	Int16Array.from(await decoded(path.join(root, 'fixtures', 'accuracy', `${name}.opus`)), (sample) =>
		Math.max(-32_768, Math.min(32_767, Math.round(sample * 32_768))),
	);

/** Two seconds of speech and one of silence: the same turn in each round, of a whole number of detection frames. */
const roundMs = 3072;
const spoken = await recording('LJ001-0001');
const turn = new Int16Array(16 * roundMs);
turn.set(spoken.subarray(0, 32_000));
const turnPcm = Buffer.from(turn.buffer);
const long = new Int16Array(60 * 16_000);
for (let at = 0; at < long.length; at += spoken.length)
	long.set(spoken.subarray(0, Math.min(spoken.length, long.length - at)), at);

function kilobytesOf(pid) {
	const status = readFileSync(`/proc/${pid}/status`, 'utf8');
	return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0);
}

const handlesOf = (pid) => readdirSync(`/proc/${pid}/fd`).length;

async function sessions() {
	const text = await (await fetch(`${server.base}/metrics`)).text();
	const gauges = text.matchAll(/^earshot_live_sessions\{.*\} (\d+)$/gm);
	return [...gauges].reduce((sum, [, count]) => sum + Number(count), 0);
}

/** The server, and the processes of its models together. */
async function measured() {
	const heapMiB = await heap();
	const [main = 0, ...models] = processTree(server.pid);
	const sum = (of) => models.reduce((all, pid) => all + of(pid), 0);
	return {
		heapMiB,
		serverMiB: kilobytesOf(main) / 1024,
		modelsMiB: sum(kilobytesOf) / 1024,
		serverHandles: handlesOf(main),
		modelHandles: sum(handlesOf),
		processes: models.length,
	};
}

const shown = (measure) =>
	Object.entries(measure)
		.map(([name, value]) => `${name} ${Math.round(value * 10) / 10}`)
		.join(', ');

const heap = await heapOf(server.pid).catch(async (thrown) => {
	await server.stop();
	throw thrown;
});
let isOver = false;
const counts = nothingYet();
const common = { base: server.base, isOver: () => isOver, counts };
const models = ['whisper', 'streaming'];
const dictation = wav(spoken.subarray(0, 48_000));
let fell = 0;
function check(what, held, seen) {
	if (!held) fell++;
	say(`${held ? 'held ' : 'FELL '} ${what}: ${seen}`);
}

try {
	// The models are loaded, and what they keep for their whole life is there.
	for (const model of models)
		await comeAndGo({ ...common, models: [model], pcm: turnPcm, isOver: onceTrue() });
	await dictate({ ...common, model: 'whisper', file: dictation, isOver: onceTrue() });
	const before = await measured();
	say(`at rest: ${shown(before)}`);

	const clients = [
		speakOn({ ...common, model: 'whisper', pcm: turnPcm }),
		comeAndGo({ ...common, models, pcm: turnPcm }),
		comeAndGo({ ...common, models: [...models].reverse(), pcm: turnPcm }),
		dictate({ ...common, model: 'whisper', file: dictation }),
		upload({ ...common, model: 'whisper', file: wav(long) }),
	];
	const samples = [];
	for (let left = (minutes * 60_000) / sampleEveryMs; left > 0; left--) {
		await sleep(sampleEveryMs);
		samples.push(await measured());
		const latest = samples.at(-1);
		if (latest && samples.length % 12 === 0)
			say(`${Math.round((samples.length * sampleEveryMs) / 60_000)} min: ${shown(latest)}`);
	}
	isOver = true;
	const [starts] = await Promise.all(clients);

	for (const [of, most] of [
		['heapMiB', 1.05],
		['serverMiB', 1.1],
		['modelsMiB', 1.05],
		['serverHandles', 1.1],
		['modelHandles', 1.1],
	]) {
		const { from, to } = growthOf(samples.map((sample) => sample[of]));
		check(
			`${of} does not grow`,
			to <= from * most,
			`${from.toFixed(1)} in the second quarter, ${to.toFixed(1)} in the last`,
		);
	}
	// The first turn begins with the session, so that it has less audio before its speech.
	const [, second = 0, ...others] = starts;
	const drifts = others.map((start, at) => start - second - (at + 1) * roundMs);
	check(
		'a turn begins in the session where it was said',
		drifts.length > 0 && drifts.every((drift) => Math.abs(drift) <= 32),
		`${starts.length} turns, at most ${Math.max(0, ...drifts.map(Math.abs))} ms off`,
	);
	await sleep(2000);
	check('no session is left', (await sessions()) === 0, await sessions());
	// Connections of plain requests are kept open for some seconds.
	await sleep(15_000);
	const after = await measured();
	check(
		'handles are given back',
		after.serverHandles <= before.serverHandles + 2,
		`${before.serverHandles} before, ${after.serverHandles} after`,
	);
	check(
		'handles of models are given back',
		after.modelHandles <= before.modelHandles + 2,
		`${before.modelHandles} before, ${after.modelHandles} after`,
	);
	check(
		'the processes are the same in number',
		after.processes === before.processes,
		`${before.processes} before, ${after.processes} after`,
	);
	const { faults, ...did } = counts;
	check(
		'nothing failed',
		faults.length === 0,
		`${shown(did)}${faults
			.slice(0, 5)
			.map((fault) => `\n${fault}`)
			.join('')}`,
	);
} finally {
	await server.stop();
}
process.exit(fell > 0 ? 1 : 0);

/** False at first, then true: one round. */
function onceTrue() {
	let calls = 0;
	return () => calls++ > 0;
}
