// The library and the addon, called with what no type allows: in processes of their own, since they might end.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { modelsYaml, recordingPath, root } from '../lib/server.mjs';

function run(args) {
	const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
	const said = { stdout: '', stderr: '' };
	for (const name of ['stdout', 'stderr'])
		child[name].setEncoding('utf8').on('data', (text) => {
			said[name] = (said[name] + text).slice(-5_000);
		});
	return new Promise((resolve) => child.once('close', (code, signal) => resolve({ code, signal, ...said })));
}

/** What is done with the bytes right after they were handed over. */
const ways = {
	'transferred away': 'structuredClone(bytes.buffer, { transfer: [bytes.buffer] })',
	'made smaller': 'bytes.buffer.resize(0)',
	overwritten: 'bytes.fill(255)',
};

const taken = (config, isolated, way) => `
	import { createTranscriber } from 'earshot';
	import { readFileSync } from 'node:fs';
	const earshot = await createTranscriber(${JSON.stringify({ config, isolated })});
	const file = readFileSync(${JSON.stringify(recordingPath('tones-abc'))});
	const bytes = new Uint8Array(new ArrayBuffer(file.length, { maxByteLength: file.length }));
	bytes.set(file);
	const transcript = earshot.transcribe(bytes);
	${way};
	console.log((await transcript).text);`;

const workers = (options) => `
	import { Worker } from 'node:worker_threads';
	const body = \`
		import { createTranscriber } from 'earshot';
		const earshot = await createTranscriber(${JSON.stringify(options)});
		for (;;) await earshot.transcribe(${JSON.stringify(recordingPath('tones-abc'))});\`;
	for (let time = 0; time < 12; time++) {
		const worker = new Worker(new URL('data:text/javascript,' + encodeURIComponent(body.replaceAll("'earshot'", JSON.stringify(import.meta.resolve('earshot'))))));
		worker.on('error', (error) => console.log(error.message));
		await new Promise((resolve) => setTimeout(resolve, 40 * time));
		await worker.terminate();
	}
	console.log('went on');`;

export async function attack({ check }) {
	const folder = mkdtempSync(path.join(tmpdir(), 'earshot-attack-'));
	const config = path.join(folder, 'models.yaml');
	writeFileSync(config, modelsYaml(['zipformer_ctc']));
	const program = (code) => run(['--input-type=module', '-e', code]);
	try {
		const cases = Object.entries(ways).flatMap(([what, way]) =>
			[false, true].map((isolated) => ({ what, way, isolated })),
		);
		const ends = await Promise.all(cases.map(({ way, isolated }) => program(taken(config, isolated, way))));
		for (const [index, ended] of ends.entries()) {
			const { what, isolated } = cases[index];
			const held = ended.code === 0 && ended.stdout.trim() === 'a b c';
			check(
				`bytes that are ${what}${isolated ? ', isolated,' : ''} are transcribed as they were`,
				held,
				ended,
			);
		}
		for (const isolated of [true, false]) {
			const threads = await program(workers({ config, isolated }));
			const what = `worker threads${isolated ? ', isolated,' : ''} that are ended while they load and transcribe`;
			const held = threads.stdout.trim() === 'went on';
			// Node's assertion, for any program whose thread is ended while it compresses: the ratio of a segment.
			const isOfNode = !isolated && threads.stderr.includes('node_zlib.cc');
			if (isOfNode) check.known('docs/guides/bundlers.md', what, held, threads);
			else check(what, held, threads);
		}
		const fuzz = path.join(root, 'test', 'native', 'hostile', 'fuzz-library.mjs');
		const fuzzed = await run([fuzz, config, recordingPath('tones-abc'), '7', '1']);
		check(
			'some hundred odd values are refused with errors of its own',
			fuzzed.code === 0 && fuzzed.stdout.trim() === 'done',
			fuzzed,
		);
	} finally {
		rmSync(folder, { recursive: true, force: true });
	}
}
