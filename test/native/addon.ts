/** The addon as the tests load it, and its fixtures in the terms of binding.d.ts. */

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import type * as Binding from '../../binding.js';
import { runtimeFile } from '../../src/addon/libraries.js';
import { sileroGraph } from '../../src/audio/silero-graph.js';
import { configOf } from '../../src/engines/sherpa/config.js';
import { encoderGraph } from '../../src/engines/whisper/encoder-graph.js';
import { readGgml } from '../../src/model-files/ggml-file.js';
import { onnxNodes } from '../../src/model-files/onnx-nodes.js';
import { familyOf, isSherpaType } from '../../src/models/types/types.js';
import { filesOf, generated, type ModelFixture, modelFixture, root } from '../helpers/fixtures.js';
import { usualClip, usualLoad } from '../helpers/whisper-defaults.mjs';

interface NodeGypBuild {
	(folder: string): typeof Binding;
	resolve(folder: string): string;
}
const load = createRequire(import.meta.url)('node-gyp-build') as NodeGypBuild;
export const addon = load(root);
export const addonFile = load.resolve(root);

export const libraryDir = path.join(root, 'vendor', 'sherpa-onnx', `${process.platform}-${process.arch}`);
export const silero = path.join(root, 'vendor', 'silero-vad', 'silero_vad_v6.onnx');
/** Somebody who speaks. */
export const digits = path.join(root, 'fixtures', 'demo-digits', 'digits-pause.wav');
export const tonesModel = path.join(generated, 'whisper', 'tones.bin');

export function sherpaConfig(
	fixture: Pick<ModelFixture, 'type' | 'files' | 'options'>,
): Record<string, string | number> {
	if (!isSherpaType(fixture.type)) throw new Error(`${fixture.type} is not of sherpa-onnx`);
	return configOf(familyOf(fixture.type), { files: filesOf(fixture), options: fixture.options });
}

export const plainSherpa = { libraryDir, changesApart: false, exclusive: false, punctuation: '' } as const;

export function loadSherpa(
	name: string,
	slots = 2,
): Promise<Binding.Model<Binding.SherpaClipOptions, Binding.SherpaInfo>> {
	const fixture = modelFixture(name);
	const config = sherpaConfig(fixture);
	return isSherpaType(fixture.type) && familyOf(fixture.type).chunk !== undefined
		? addon.loadStreaming({ libraryDir, slots, config, tailSeconds: 1.3, batch: 8 })
		: addon.loadSherpa({ ...plainSherpa, slots, config });
}

/** Of what gives text and times as ggml does, what this processor has. */
export const exactEncoders = [
	'ggml',
	'onnx',
	...(addon.integerEncoders() ? (['int16'] as const) : []),
] as const;

export type EncoderKind = (typeof exactEncoders)[number];

/** What loadWhisper takes for the encoder, which has the weights of `file`. */
export async function encoderOf(
	kind: EncoderKind,
	file = tonesModel,
	threads: readonly number[] = [1],
): Promise<Pick<Binding.WhisperLoad, 'encoders' | 'encoderBits'>> {
	if (kind === 'int16') return { encoderBits: 16 };
	return { encoders: kind === 'ggml' ? [] : await sessionsOf(file, threads) };
}

async function sessionsOf(file: string, threads: readonly number[]): Promise<Binding.Encoder[]> {
	const graph = encoderGraph(readGgml(file), path.basename(file));
	const load = { library: runtimeFile(libraryDir), graph, folder: path.dirname(file) };
	return Promise.all(threads.map((each) => addon.loadEncoder({ ...load, threads: each })));
}

export function loadWhisper(slots = 2, file = tonesModel) {
	return addon.loadWhisper({
		...usualLoad,
		path: file,
		slots,
		maxThreads: 2,
	});
}

export const sherpaClip: Binding.SherpaClipOptions = { clip: 1, stream: {}, hotwords: '', changes: {} };

export const whisperClip = usualClip;

export interface Decoded extends Binding.AudioInfo {
	readonly samples: Float32Array;
	readonly skippedPackets: number;
	readonly truncated: boolean;
}

/** A whole recording, read in blocks of that many samples. */
export async function decodeAudio(
	source: Uint8Array | string,
	{ blockSamples = 160_000, ...options }: Binding.DecodeOptions & { blockSamples?: number },
): Promise<Decoded> {
	const reader = addon.openAudio(source, options);
	try {
		const info = await reader.open();
		const blocks: Float32Array[] = [];
		for (;;) {
			const into = new Float32Array(blockSamples);
			const { count, skippedPackets, truncated } = await reader.read(into);
			blocks.push(into.subarray(0, count));
			if (count < blockSamples) return { ...info, samples: joined(blocks), skippedPackets, truncated };
		}
	} finally {
		await reader.close();
	}
}

function joined(blocks: readonly Float32Array[]): Float32Array {
	const whole = new Float32Array(blocks.reduce((sum, { length }) => sum + length, 0));
	let at = 0;
	for (const block of blocks) {
		whole.set(block, at);
		at += block.length;
	}
	return whole;
}

/** sherpa-onnx's, for a network of Silero's shape from v5 on. */
export const sherpaDetector = (file: string): Binding.SherpaDetector => ({
	libraryDir,
	path: file,
	ten: false,
	overlap: 64,
});

/** Silero's own network, as the library runs it. */
export async function sileroNetwork(file = silero): Promise<Binding.SpeechNetwork> {
	const graph = sileroGraph(onnxNodes(readFileSync(file)), path.basename(file));
	if (graph === undefined) throw new Error(`${file} is not Silero's`);
	return addon.loadSpeechNetwork({ library: runtimeFile(libraryDir), graph, folder: path.dirname(file) });
}

/** The spans of a whole recording, pushed at once. */
export async function detect(activity: Binding.VoiceActivity, samples: Float32Array): Promise<Uint32Array> {
	const session = activity.openSession();
	try {
		return (await session.push(samples, true)).spans;
	} finally {
		await session.close();
	}
}

/** What a result says: the library's own text, or the tokens joined. */
export function textOf(raw: Binding.RawResult): string {
	return (raw.text || Buffer.from(raw.bytes).toString()).trim();
}

export interface Ended {
	readonly code: number | null;
	readonly signal: NodeJS.Signals | null;
	readonly stdout: string;
	readonly stderr: string;
}

/** Runs `body` with `addon` in a process of its own, for what may end it. */
export function inChild(body: string, ...values: unknown[]): Promise<Ended> {
	const script = `
		const addon = require('node-gyp-build')(${JSON.stringify(root)});
		const { Worker, isMainThread } = require('node:worker_threads');
		const values = ${JSON.stringify(values)};
		(async () => { ${body} })().catch((error) => {
			console.log(error.code ?? error.stack);
			process.exitCode = 3;
		});`;
	return runNode(['-e', script]);
}

/** Runs Node with these arguments in the root of the checkout. */
export function runNode(args: readonly string[]): Promise<Ended> {
	const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
	let stdout = '';
	let stderr = '';
	child.stdout.on('data', (chunk: Buffer) => {
		stdout += chunk.toString();
	});
	child.stderr.on('data', (chunk: Buffer) => {
		stderr += chunk.toString();
	});
	return new Promise((resolve, reject) => {
		child.on('error', reject);
		child.on('close', (code, signal) => {
			resolve({ code, signal, stdout: stdout.trim(), stderr });
		});
	});
}
