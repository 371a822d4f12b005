// Calls every function of the addon with values that its types forbid, one odd value at a time: a seeded run in a process of
// its own, so that a crash is seen. Prints one line of JSON for each call that did not fail as it should, then `done`.
//   node fuzz-binding.mjs LOADS SEED ROUNDS     LOADS: a file with valid arguments as JSON, made by binding.test.ts
import { readFileSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import process, { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import { oddValues as odd, raise, thrownByGetter, tone } from './odd-values.mjs';
import { seeded } from './seeded.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');
const addon = createRequire(import.meta.url)('node-gyp-build')(root);
const { whisper, whisperClip, sherpa, streaming, sherpaClip, encoder, network, embedding, voice, digits } =
	JSON.parse(readFileSync(argv[2], 'utf8'));
const random = seeded(Number(argv[3]));
const rounds = Number(argv[4]);

const codes = new Set(
	[
		'invalid_argument',
		'audio_unsupported',
		'audio_too_long',
		'model_load_failed',
		'engine_missing',
		'engine_failed',
	].concat(['out_of_memory', 'cancelled', 'closed']),
);

/** A copy of valid arguments with one value, at any depth, replaced by an odd one, left out, or made by a getter. */
function spoiled(args) {
	const copy = args.slice();
	const at = random.below(copy.length + 1);
	const value = random.of(odd)();
	const inside = copy[at];
	if (isPlain(inside) && random.below(4) > 0) copy[at] = spoiledObject(inside, value);
	else if (Array.isArray(inside) && inside.length > 0 && random.below(2) > 0) copy[at] = [...inside, value];
	else copy[at] = value;
	return random.below(12) === 0 ? copy.slice(0, random.below(copy.length + 1)) : copy;
}

function spoiledObject(object, value) {
	const names = Object.keys(object);
	const name = random.of([...names, 'unknown', '__proto__', 'toString', 'length']);
	switch (random.below(6)) {
		case 0: {
			const { [name]: _, ...rest } = object;
			return rest;
		}
		case 1:
			return Object.defineProperty({ ...object }, name, { get: raise, enumerable: true });
		case 2:
			// Calls back while it is read, and takes away what was given before.
			return Object.defineProperty({ ...object }, name, {
				get() {
					for (const array of inFlight) takeAway(array);
					return object[name];
				},
				enumerable: true,
			});
		case 3:
			return new Proxy({ ...object }, { get: (of, key) => (key === name ? value : Reflect.get(of, key)) });
		default:
			return Object.defineProperty({ ...object }, name, { value, enumerable: true });
	}
}

function isPlain(value) {
	return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/** Arrays of the call at hand. */
let inFlight = [];

function takeAway(array) {
	try {
		structuredClone(array.buffer, { transfer: [array.buffer] });
	} catch {
		// Shared, or taken away already.
	}
}

function arraysIn(args) {
	return args.flatMap((arg) => {
		try {
			return ArrayBuffer.isView(arg)
				? [arg]
				: Array.isArray(arg) && arg.length < 10
					? arg.filter(ArrayBuffer.isView)
					: [];
		} catch {
			return [];
		}
	});
}

let calls = 0;
let clip = 1;

/** Calls with these arguments and this `this`, and says what came that no contract allows. */
async function attempt(name, target, args) {
	writeSync(2, `${++calls} ${name}\n`);
	inFlight = arraysIn(args);
	const receiver = random.below(4) === 0 ? random.of(odd)() : undefined;
	try {
		const answer = Reflect.apply(target, receiver, args);
		if (random.below(3) === 0) for (const array of inFlight) takeAway(array);
		const all = Array.isArray(answer) && answer[0] instanceof Promise ? answer : [answer];
		const settled = await Promise.race([Promise.allSettled(all), late()]);
		if (settled === 'late') complain(name, 'did not settle in 30 s');
		else for (const each of settled) if (each.status === 'rejected') judge(name, each.reason);
		return settled === 'late' ? undefined : settled[0]?.value;
	} catch (thrown) {
		judge(name, thrown);
		return undefined;
	} finally {
		inFlight = [];
	}
}

function judge(name, thrown) {
	if (thrown === thrownByGetter || (thrown instanceof Error && codes.has(thrown.code))) return;
	// What the values do by themselves, as JavaScript has it.
	if (thrown instanceof TypeError && /Symbol|Proxy|proxy|BigInt/.test(thrown.message)) return;
	complain(name, String(thrown?.stack ?? thrown));
}

function complain(name, what) {
	process.stdout.write(`${JSON.stringify({ call: calls, name, what })}\n`);
}

function late() {
	return new Promise((resolve) => setTimeout(() => resolve('late'), 30_000).unref());
}

// ---- what there is to call ---------------------------------------------------------------------

const graph = (load) => ({ ...load, graph: new Uint8Array(Buffer.from(load.graph, 'base64')) });
const recording = readFileSync(digits);
const bytes = () => new Uint8Array(recording);
const whisperOptions = () => ({ ...whisperClip, clip: clip++ });
const sherpaOptions = () => ({ ...sherpaClip, clip: clip++ });

const speech = await addon.loadSpeechNetwork(graph(network));
const models = {
	whisper: await addon.loadWhisper(whisper),
	sherpa: await addon.loadSherpa(sherpa),
	streaming: await addon.loadStreaming(streaming),
};
const activity = await addon.loadVoiceActivity({ ...voice, detector: speech });

async function onReader(method, ...args) {
	const reader = addon.openAudio(random.below(2) ? bytes() : digits, { maxSeconds: 60 });
	if (random.below(5) > 0) await reader.open();
	await attempt(`reader.${method}`, reader[method], spoiled(args));
	if (random.below(2)) await attempt(`reader.${method} again`, reader[method], args);
	await reader.close();
}

async function onSession(kind, session, method, args) {
	await attempt(`${kind}.${method}`, session[method], spoiled(args));
	if (random.below(2))
		await attempt(`${kind}.${method} again`, session[method], [tone(8000), random.below(2) === 0]);
	await session.close();
}

/** Name of an export → calls that reach it, and what it makes. */
const targets = {
	openAudio: async () => {
		const reader = await attempt('openAudio', addon.openAudio, spoiled([bytes(), { maxSeconds: 60 }]));
		if (reader) await attempt('reader.open', reader.open, []);
		await onReader(random.of(['open', 'read', 'close']), tone(8000));
	},
	openLiveInput: async () => {
		const format = {
			encoding: random.of(['pcm16', 'pcmu', 'pcma']),
			rate: random.of([8000, 24_000, 44_100]),
		};
		const made = await attempt('openLiveInput', addon.openLiveInput, spoiled([format]));
		const input = made ?? addon.openLiveInput(format);
		await attempt('input.push', input.push, spoiled([bytes(), random.below(2) === 0]));
		await attempt('input.push again', input.push, [bytes(), true]);
	},
	loadSpeechNetwork: () => attempt('loadSpeechNetwork', addon.loadSpeechNetwork, spoiled([graph(network)])),
	loadVoiceActivity: async () => {
		await attempt('loadVoiceActivity', addon.loadVoiceActivity, spoiled([{ ...voice, detector: speech }]));
		await onSession('session', activity.openSession(), 'push', [tone(8000), true]);
	},
	loadNetwork: async () => {
		const made = await attempt('loadNetwork', addon.loadNetwork, spoiled([graph(embedding)]));
		const loaded = made ?? (await addon.loadNetwork(graph(embedding)));
		const shapes = { input: 'x', output: 'embedding', inputShape: [1, 98, 80], outputShape: [1, 80] };
		const run = () => [new Float32Array(98 * 80), { clip: clip++, ...shapes }];
		await attempt('network.run', loaded.run, spoiled(run()));
		await attempt('network.cancel', loaded.cancel, spoiled([clip]));
		await attempt('network.close', loaded.close, spoiled([]));
		await attempt('network.run after close', loaded.run, run());
	},
	loadEncoder: async () => {
		const made = await attempt('loadEncoder', addon.loadEncoder, spoiled([graph(encoder)]));
		const encoders = [made, speech, random.of(odd)()].slice(random.below(3));
		await attempt('loadWhisper', addon.loadWhisper, [{ ...whisper, encoders }]).then((model) =>
			model?.close(),
		);
	},
	loadWhisper: async () => {
		const { transcribe, transcribeBatch, encode, cancel } = models.whisper;
		await attempt('loadWhisper', addon.loadWhisper, spoiled([whisper])).then((model) => model?.close());
		await attempt('whisper.transcribe', transcribe, spoiled([tone(8000), whisperOptions()]));
		await attempt(
			'whisper.transcribeBatch',
			transcribeBatch,
			spoiled([[tone(8000), tone(90)], whisperOptions()]),
		);
		await attempt(
			'whisper.encode',
			encode,
			spoiled([tone(8000), { clip: clip++, threads: 1, audioContext: 0 }]),
		);
		await attempt('whisper.cancel', cancel, spoiled([clip, 0]));
	},
	loadParakeet: () => attempt('loadParakeet', addon.loadParakeet, spoiled([whisper])),
	loadSherpa: async () => {
		const { transcribe, transcribeBatch, cancel } = models.sherpa;
		await attempt('loadSherpa', addon.loadSherpa, spoiled([sherpa])).then((model) => model?.close());
		await attempt('sherpa.transcribe', transcribe, spoiled([tone(8000), sherpaOptions()]));
		await attempt(
			'sherpa.transcribeBatch',
			transcribeBatch,
			spoiled([[tone(8000), tone(90)], sherpaOptions()]),
		);
		await attempt('sherpa.cancel', cancel, spoiled([clip, 0]));
	},
	loadStreaming: async () => {
		await attempt('loadStreaming', addon.loadStreaming, spoiled([streaming])).then((model) => model?.close());
		await attempt(
			'streaming.transcribe',
			models.streaming.transcribe,
			spoiled([tone(8000), sherpaOptions()]),
		);
		const made = await attempt(
			'streaming.stream',
			models.streaming.stream,
			spoiled([{ stream: {}, hotwords: '' }]),
		);
		if (made) await onSession('stream', made, 'feed', [tone(8000), true]);
	},
	devices: () => attempt('devices', addon.devices, spoiled([])),
	calculates: () => attempt('calculates', addon.calculates, spoiled([0])),
	trimHeap: () => attempt('trimHeap', addon.trimHeap, spoiled([])),
	cpuFeatures: () => attempt('cpuFeatures', addon.cpuFeatures, spoiled([])),
	processorFlags: () => attempt('processorFlags', addon.processorFlags, spoiled([])),
	kernels: () => attempt('kernels', addon.kernels, spoiled([])),
	integerEncoders: () => attempt('integerEncoders', addon.integerEncoders, spoiled([])),
	versions: () => attempt('versions', addon.versions, spoiled([])),
	sherpaVersion: () => attempt('sherpaVersion', addon.sherpaVersion, spoiled([sherpa.libraryDir])),
	setLogSink: () => attempt('setLogSink', addon.setLogSink, spoiled([null])),
};

const missed = Object.keys(addon).filter((name) => typeof addon[name] === 'function' && !(name in targets));
if (missed.length > 0) process.stdout.write(`${JSON.stringify({ missed })}\n`);
for (let round = 0; round < rounds; round++) for (const call of Object.values(targets)) await call();
// Everything still works.
const { text, bytes: heard } = await models.sherpa.transcribe(tone(16_000), sherpaOptions());
if (typeof text !== 'string' || !(heard instanceof Uint8Array))
	complain('sherpa.transcribe', 'gives no result any more');
for (const model of Object.values(models)) await model.close();
process.stdout.write('done\n');
