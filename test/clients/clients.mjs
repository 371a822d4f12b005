// The official clients, unmodified and in their newest versions, and LiveKit's and Pipecat's: in a live session each must
// get the text of the file route, and the official ones must read who said it, by their own types, as in the answer to a
// plain request. Fetches them from npm and PyPI into build/clients, and Node 22 for those that need it.
//
//   npm run clients                all of them
//   npm run clients -- agents      those whose name has this in it
//   npm run clients:webhooks       endpoints and verification of webhooks
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process, { argv, stderr, stdout } from 'node:process';
import { decoded } from '../accuracy/samples.mjs';
import { root } from '../bench/lib/peers.mjs';
import { wav } from '../bench/lib/speech.mjs';
import { inFolder, node22, place, python, run, scripts } from './packages.mjs';

const model = path.join(root, 'build', 'models', 'whisper-tiny.en', 'ggml-tiny.en.bin');
const recording = (name) => path.join(root, 'fixtures', 'accuracy', `${name}.opus`);
/** The real networks where they are beside the checkout, else those of the tests: what is compared is the same. */
const realNetworks = ['pyannote-segmentation-3.0', 'campplus-sv-zh-en-16k-common'].map((name) =>
	path.join(root, '..', 'shared', 'diarization', 'models', `${name}.onnx`),
);
const testNetworks = ['segmentation', 'embedding'].map((role) =>
	path.join(root, 'fixtures', 'generated', 'speakers', `${role}.onnx`),
);

/** Signed by itself, for clients that open `wss:` only. */
const [certificate, key] = ['cert', 'key'].map((what) =>
	path.join(root, 'test', 'helpers', 'tls', `localhost.${what}.pem`),
);
const overTls = 'over TLS';

const [livekit, pipecat] = ['1.8.9', '1.14.0'];

/** Name → the program and its arguments, fetched on first use. */
const clients = {
	'openai 6 on this Node': inFolder(
		'openai-6',
		['openai@6', 'ws@8'],
		'openai_node.mjs',
		() => process.execPath,
	),
	'openai, newest, on Node 22': inFolder('openai-7', ['openai@latest', 'ws@8'], 'openai_node.mjs', node22),
	[`openai, newest, ${overTls}`]: () => {
		const [program, args] = inFolder('openai-7', ['openai@latest', 'ws@8'], 'openai_tls.mjs', node22)();
		return ['env', [`NODE_EXTRA_CA_CERTS=${certificate}`, program, ...args]];
	},
	'ai (streamTranscribe) on Node 22': inFolder(
		'ai',
		['ai@latest', '@ai-sdk/openai@latest'],
		'ai_sdk.mjs',
		node22,
	),
	'@openai/agents-realtime on Node 22': inFolder(
		'agents-js',
		['@openai/agents-realtime@latest'],
		'agents_js.mjs',
		node22,
	),
	'openai for Python': () => [
		python('openai-python', 'openai[realtime]'),
		[path.join(scripts, 'openai_python.py')],
	],
	'openai-agents for Python': () => [
		python('agents-python', 'openai-agents[voice]'),
		[path.join(scripts, 'agents_python.py')],
	],
	// Pinned, since they are large and change often; the pin is in the folder's name, so that a new one is fetched.
	'livekit for Python': () => [
		python(`livekit-python-${livekit}`, `livekit-agents==${livekit}`, `livekit-plugins-openai==${livekit}`),
		[path.join(scripts, 'livekit_python.py')],
	],
	'pipecat for Python': () => [
		python(`pipecat-python-${pipecat}`, `pipecat-ai[openai]==${pipecat}`),
		[path.join(scripts, 'pipecat_python.py')],
	],
	'wyoming (Home Assistant)': () => [python('wyoming', 'wyoming'), [path.join(scripts, 'wyoming_python.py')]],
};

/** Those that read who said it. */
const speakerClients = {
	'openai, newest, for speakers': inFolder(
		'openai-7',
		['openai@latest', 'ws@8'],
		'speakers_node.mjs',
		node22,
	),
	'ai (transcribe) for speakers': inFolder(
		'ai',
		['ai@latest', '@ai-sdk/openai@latest'],
		'speakers_ai_sdk.mjs',
		node22,
	),
	'openai for Python, for speakers': () => [
		python('openai-python', 'openai[realtime]'),
		[path.join(scripts, 'speakers_python.py')],
	],
};

async function startServer(...flags) {
	mkdirSync(place, { recursive: true });
	const config = path.join(place, 'models.yaml');
	const networks = realNetworks.every((file) => existsSync(file)) ? realNetworks : testNetworks;
	const [segmentation, embedding] = networks;
	const models = {
		'whisper-tiny.en': { type: 'whisper_cpp', files: { model } },
		diarization: { type: 'diarization', files: { segmentation, embedding } },
	};
	writeFileSync(config, JSON.stringify({ models }));
	const args = [
		'dist/cli/main.js',
		'serve',
		'--port',
		'0',
		'--wyoming',
		'0',
		'--config',
		config,
		'--model-dir',
		place,
		...flags,
	];
	const server = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'inherit', 'pipe'] });
	let said = '';
	server.stderr.setEncoding('utf8');
	for await (const text of server.stderr) {
		said += text;
		const url = /listens on (\S+)/.exec(said)?.[1];
		const wyoming = /Wyoming.*: (tcp:\S+)/.exec(said)?.[1];
		if (url !== undefined && wyoming !== undefined) return { url, wyoming, server };
	}
	throw new Error(`the server did not start\n${said}`);
}

/** 24 kHz, 16 bits: every third sample of the 48 kHz between those that are there. */
function upsampled(samples) {
	const more = new Int16Array(Math.floor((samples.length * 3) / 2));
	for (const at of more.keys()) {
		const from = (at * 2) / 3;
		const [before, after] = [samples[Math.floor(from)] ?? 0, samples[Math.floor(from) + 1] ?? 0];
		more[at] = Math.round((before + (after - before) * (from % 1)) * 32_767);
	}
	return more;
}

async function textOf(url, pcm) {
	const header = wav(new Int16Array(pcm.buffer, pcm.byteOffset, pcm.length / 2));
	header.writeUInt32LE(24_000, 24);
	header.writeUInt32LE(48_000, 28);
	const form = new FormData();
	form.append('file', new Blob([header]), 'speech.wav');
	const answer = await fetch(`${url}/audio/transcriptions`, { method: 'POST', body: form });
	return (await answer.json()).text;
}

/** Who said what, without a client: `SPEAKER:text` for each segment. */
async function speakersOf(url, file, reference) {
	const form = new FormData();
	form.append('file', new Blob([readFileSync(file)]), 'talk.wav');
	form.append('response_format', 'diarized_json');
	if (reference !== undefined) {
		const data = readFileSync(reference).toString('base64');
		form.append('known_speaker_names[]', 'Ann');
		form.append('known_speaker_references[]', `data:audio/wav;base64,${data}`);
	}
	const answer = await fetch(`${url}/audio/transcriptions`, { method: 'POST', body: form });
	if (answer.status !== 200) throw new Error(`${answer.status} ${await answer.text()}`);
	return (await answer.json()).segments.map(({ speaker, text }) => `${speaker}:${text}`).join('\n');
}

const plain = (text) =>
	text
		.toLowerCase()
		.replaceAll(/[^a-z ]/g, '')
		.replaceAll(/ +/g, ' ')
		.trim();

const isWanted = (name) => argv.length <= 2 || argv.slice(2).some((part) => name.includes(part));

/** What the client printed, a JSON list. */
function printed(program, args) {
	const [command, own] = program();
	return JSON.parse(
		run(command, [...own, ...args])
			.trim()
			.split('\n')
			.at(-1),
	);
}

let failures = 0;

/** `check` returns what is wrong. */
function attempt(name, check) {
	if (!isWanted(name)) return;
	let wrong;
	try {
		wrong = check();
	} catch (thrown) {
		wrong = [thrown instanceof Error ? thrown.message : String(thrown)];
	}
	if (wrong.length > 0) failures++;
	stdout.write(`${wrong.length > 0 ? 'FAILED' : 'ok    '} ${name}\n`);
	for (const text of wrong) stdout.write(`       ${text}\n`);
}

async function live({ url, wyoming }, secure) {
	const pcm = Buffer.from(upsampled(await decoded(recording('LJ001-0001'))).buffer);
	const file = path.join(place, 'speech.pcm');
	writeFileSync(file, pcm);
	const expected = await textOf(url, pcm);
	stdout.write(`the file route: ${expected}\n`);
	for (const [name, program] of Object.entries(clients))
		attempt(name, () => {
			const server = name.endsWith(overTls) ? secure.url : url;
			const texts = printed(program, [server, 'whisper-tiny.en', file, wyoming]);
			// Of openai-agents: turns of speech, and turns of silence.
			const [first, ...others] = texts;
			const whole = Array.isArray(first) ? [first.join(' ')] : texts;
			const noise = Array.isArray(first) ? others.flat() : [];
			return [...whole.filter((text) => plain(text) !== plain(expected)), ...noise];
		});
}

async function speakers({ url }) {
	const [talk, reference] = ['talk.wav', 'reference.wav'].map((name) => path.join(place, name));
	const [ann, other] = [await decoded(recording('LJ001-0003')), await decoded(recording('jfk'))];
	writeFileSync(talk, wav(Float32Array.from([...ann, ...other])));
	writeFileSync(reference, wav((await decoded(recording('LJ001-0001'))).slice(0, 5 * 16_000)));
	const [known, unknown] = [await speakersOf(url, talk, reference), await speakersOf(url, talk)];
	stdout.write(`a plain request:\n${known}\n`);
	for (const [name, program] of Object.entries(speakerClients))
		attempt(name, () => {
			const expected = name.startsWith('ai ') ? unknown : known;
			return printed(program, [url, talk, reference]).filter((text) => text !== expected);
		});
}

const started = await startServer();
const secure = await startServer('--tls-cert', certificate, '--tls-key', key);
for (const { server } of [started, secure]) server.stderr.resume();
try {
	if (Object.keys(clients).some(isWanted)) await live(started, secure);
	if (Object.keys(speakerClients).some(isWanted)) await speakers(started);
} finally {
	for (const { server } of [started, secure]) server.kill();
}
if (failures > 0) stderr.write(`${failures} clients failed\n`);
process.exitCode = failures > 0 ? 1 : 0;
