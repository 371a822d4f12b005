/** The generated fixtures: tiny models that recognize tones, and recordings of tones. */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import wavefile from 'wavefile';

export const root = fileURLToPath(new URL('../..', import.meta.url));
export const generated = path.join(root, 'fixtures', 'generated');

export interface ModelFixture {
	readonly name: string;
	readonly engine: 'sherpa' | 'whisper';
	/** The `type` in models.yaml. */
	readonly type: string;
	readonly files: Readonly<Record<string, string>>;
	readonly options: Readonly<Record<string, string | number | boolean>>;
	/** Whether it has word timestamps. */
	readonly timestamps: boolean;
	/** Recording → recognized text. */
	readonly expectedTexts: Readonly<Record<string, string>>;
	/** Recording → detected language, if the model reports one. */
	readonly languages?: Readonly<Record<string, string>>;
	readonly note?: string;
}

export interface AudioFixture {
	readonly name: string;
	readonly path: string;
	readonly sampleRate: number;
	readonly channels: number;
	readonly seconds: number;
	readonly sequence: string;
	readonly tones: readonly { readonly tone: string; readonly start: number; readonly end: number }[];
}

interface Manifest {
	readonly audio: readonly AudioFixture[];
	readonly models: readonly ModelFixture[];
	readonly troubled: readonly (Omit<ModelFixture, 'expectedTexts'> & { readonly trouble?: string })[];
}

export const manifest = JSON.parse(readFileSync(path.join(generated, 'manifest.json'), 'utf8')) as Manifest;

/** A detector that takes loud sound for speech, since Silero rightly finds no speech in tones. */
export const loudnessDetector = path.join(generated, 'vad', 'loudness.onnx');

export function modelFixture(name: string): ModelFixture {
	const found = manifest.models.find((model) => model.name === name);
	if (!found) throw new Error(`no model fixture ${name}`);
	return found;
}

export function filesOf({ files }: Pick<ModelFixture, 'files'>): Record<string, string> {
	return Object.fromEntries(Object.entries(files).map(([role, file]) => [role, path.join(generated, file)]));
}

export function audioPath(name: string): string {
	return path.join(generated, 'audio', `${name}.wav`);
}

export function audioFixture(name: string): AudioFixture {
	const found = manifest.audio.find((audio) => audio.name === name);
	if (!found) throw new Error(`no audio fixture ${name}`);
	return found;
}

/** Samples of a fixture that is 16 kHz mono 16-bit. */
export function samplesOf(name: string): Float32Array {
	const wav = new wavefile.WaveFile(readFileSync(audioPath(name)));
	return Float32Array.from(
		wav.getSamples(false, Int16Array) as unknown as Int16Array,
		(value) => value / 32_768,
	);
}
