/** What encodes for a Whisper model: ggml, or ONNX Runtime, which is faster on a processor and exact. */

import { realpathSync } from 'node:fs';
import path from 'node:path';
import type { Encoder } from '../../binding.js';
import type { EncoderName } from '../config.js';
import { asEarshotError } from '../errors.js';
import { encoderGraph } from './encoder-graph.js';
import { type GgmlFile, readGgml } from './ggml-file.js';
import { addon, guarded } from './native.js';
import { runtimeFile } from './sherpa-library.js';

export interface EncoderSettings {
	readonly wanted: EncoderName;
	/** The ggml file. */
	readonly path: string;
	/** Folder of the sherpa-onnx libraries, of which ONNX Runtime is one; undefined = they are not here. */
	readonly libraryDir: string | undefined;
	readonly maxThreads: number;
	/** Whether a GPU of the machine may be used. */
	readonly useGpu: boolean;
}

export interface Encoders {
	/** For the addon; none = ggml's own. */
	readonly encoders: readonly Encoder[];
	/** As Choice has it. */
	readonly reason: string;
}

/** A file whose encoder can be run, or not. */
interface Facts {
	readonly wanted: EncoderName;
	readonly onGpu: boolean;
	readonly hasLibrary: boolean;
	readonly quantised: boolean;
}

export interface Choice {
	readonly encoder: 'onnx' | 'ggml';
	/** Why it is ggml though it might be ONNX Runtime; '' = nobody would wonder. */
	readonly reason: string;
}

/** Pure. */
export function chooseEncoder({ wanted, onGpu, hasLibrary, quantised }: Facts): Choice {
	const ggml = (reason: string) => ({ encoder: 'ggml', reason }) as const;
	if (wanted === 'ggml' || (wanted === 'auto' && onGpu)) return ggml('');
	// What is quantised is to be small in memory, and f32 weights are not.
	if (quantised) return ggml('the model is quantised');
	if (!hasLibrary) return ggml('ONNX Runtime, which comes with sherpa-onnx, is not here');
	return { encoder: 'onnx', reason: '' };
}

/** Two sessions cost the weights twice: those of the small model are within it, those of the medium one are not. */
const twoSessionsBytes = 512 * 2 ** 20;

/**
 * Threads of each session. A clip alone gets all threads; of clips beside each other each gets one, and then a
 * session of one thread does the same work in less time than threads that wait for one another. Pure.
 */
export function sessionThreads(maxThreads: number, weightBytes: number): readonly number[] {
	return maxThreads === 1 || weightBytes > twoSessionsBytes ? [maxThreads] : [1, maxThreads];
}

type Wishes = Pick<EncoderSettings, 'wanted' | 'libraryDir' | 'useGpu'>;

/** What would encode for a file, as far as can be told without loading it. */
export function encoderFor(settings: Pick<EncoderSettings, 'path' | keyof Wishes>): Choice {
	return encoderOf(read(settings.path), settings);
}

function encoderOf(file: GgmlFile | undefined, { wanted, libraryDir, useGpu }: Wishes): Choice {
	// The loader says what is wrong with it.
	if (file === undefined) return { encoder: 'ggml', reason: '' };
	const onGpu =
		useGpu &&
		addon()
			.devices()
			.some(({ kind }) => /gpu/.test(kind));
	return chooseEncoder({ wanted, onGpu, hasLibrary: libraryDir !== undefined, quantised: file.quantised });
}

/** Never throws for want of an encoder: ggml's is always there. */
export async function loadEncoders(settings: EncoderSettings): Promise<Encoders> {
	const ggml = (reason: string): Encoders => ({ encoders: [], reason });
	const { libraryDir, maxThreads } = settings;
	const file = read(settings.path);
	const { encoder, reason } = encoderOf(file, settings);
	if (encoder === 'ggml' || file === undefined || libraryDir === undefined) return ggml(reason);
	// ONNX Runtime follows no link out of the folder.
	const place = realpathSync(settings.path);
	try {
		const graph = encoderGraph(file, path.basename(place));
		const encoders: Encoder[] = [];
		for (const threads of sessionThreads(maxThreads, encoderBytes(file))) {
			const load = {
				library: runtimeFile(libraryDir),
				graph,
				folder: path.dirname(place),
				threads,
			};
			encoders.push(await guarded(() => addon().loadEncoder(load)));
		}
		return { encoders, reason: '' };
	} catch (thrown) {
		return ggml(asEarshotError(thrown).message);
	}
}

function read(file: string): GgmlFile | undefined {
	try {
		return readGgml(file);
	} catch {
		// Whoever loads it says so better.
		return undefined;
	}
}

/** Of the encoder's weights as f32. */
function encoderBytes({ tensors }: GgmlFile): number {
	let bytes = 0;
	for (const [name, { type, length }] of tensors) {
		if (name.startsWith('encoder.')) bytes += type === 'f16' ? 2 * length : length;
	}
	return bytes;
}
