/** Chooses and loads the encoder of a Whisper model: our integer encoder, ONNX Runtime (exact or 8-bit), or ggml. */

import { realpathSync } from 'node:fs';
import path from 'node:path';
import type { Encoder } from '../../../binding.js';
import { addon, fromNative, guarded } from '../../addon/addon.js';
import { saturatesInt8 } from '../../addon/cpu.js';
import { runtimeFile } from '../../addon/libraries.js';
import type { EncoderName } from '../../core/config/whisper-settings.js';
import { asEarshotError, type ErrorCode, reasonOf } from '../../core/errors.js';
import { type GgmlFile, readGgml } from '../../model-files/ggml-file.js';
import { type EncoderWeights, encoderGraph } from './encoder-graph.js';
import type { Int8File } from './int8-store.js';

export interface EncoderSettings {
	readonly requested: EncoderName;
	/** The ggml file. */
	readonly path: string;
	/** Folder of the sherpa-onnx libraries, which include ONNX Runtime; undefined = not installed. */
	readonly libraryDir: string | undefined;
	readonly maxThreads: number;
	/** Whether a GPU may be used. */
	readonly useGpu: boolean;
	/** Returns the file with the 8-bit weights of a ggml file. Creates it if there is none, or if `again`. */
	readonly int8Weights: (file: string, again?: boolean) => Promise<Int8File>;
}

export interface Encoders extends EncoderChoice {
	/** ONNX Runtime sessions to pass to the addon. */
	readonly encoders: readonly Encoder[];
	/** Width of the integer encoder, for the addon; with neither, ggml encodes. */
	readonly encoderBits?: 8 | 16;
}

/** What the choice of the encoder depends on. */
interface EncoderConditions {
	readonly requested: EncoderName;
	readonly onGpu: boolean;
	readonly hasLibrary: boolean;
	/** The build and the processor support int16 and int8 (AVX-512 VNNI). */
	readonly hasIntegers: boolean;
	readonly quantised: boolean;
	/** All tensors have types that can be converted. */
	readonly readable: boolean;
	/** Encoders that do not work for the file. */
	readonly refused: readonly EncoderRefusal[];
}

export interface EncoderRefusal {
	readonly encoder: EncoderChoice['encoder'];
	readonly why: string;
}

export interface EncoderChoice {
	readonly encoder: Exclude<EncoderName, 'auto' | 'exact'>;
	/** Why it is not the requested or the fastest one; '' if it is. */
	readonly reason: string;
}

/** Integers (never for `exact`), else ONNX Runtime, else ggml, as far as the settings, the file and the machine allow. Pure. */
export function chooseEncoder(info: EncoderConditions): EncoderChoice {
	const { requested, onGpu, hasIntegers, quantised } = info;
	if (requested === 'ggml' || ((requested === 'auto' || requested === 'exact') && onGpu))
		return { encoder: 'ggml', reason: '' };
	const inIntegers = requested === 'int16' || requested === 'int8';
	if (inIntegers && onGpu)
		return { encoder: 'ggml', reason: `the model runs on a GPU, and ${requested} runs only on a CPU` };
	// A quantised model is meant to take little memory, and int16 weights take more.
	const integers = inIntegers
		? requested
		: requested === 'auto' && hasIntegers && !quantised
			? 'int16'
			: undefined;
	if (integers === undefined) return chooseSession(info);
	const unfit = hasIntegers
		? whyNot(integers, info)
		: `${integers} is not supported by this build on this processor`;
	if (unfit === undefined) return { encoder: integers, reason: '' };
	const { encoder, reason } = chooseSession(info);
	return { encoder, reason: [unfit, reason].filter((each) => each !== '').join('; ') };
}

const isQuantised = 'the model is quantised';

function whyNot(encoder: EncoderChoice['encoder'], { refused }: EncoderConditions): string | undefined {
	const refusal = refused.find((each) => each.encoder === encoder);
	return refusal && `${encoder} does not support this model: ${refusal.why}`;
}

function chooseSession(info: EncoderConditions): EncoderChoice {
	const { requested, hasLibrary, quantised, readable } = info;
	const ggml = (reason: string) => ({ encoder: 'ggml', reason }) as const;
	const inInt8 = requested === 'onnx-int8' || requested === 'int8';
	// A quantised model is meant to take little memory, and f32 weights take more.
	if (quantised && !inInt8) return ggml(isQuantised);
	if (!readable) return ggml(`${isQuantised} in a format that only ggml reads`);
	if (!hasLibrary) return ggml('ONNX Runtime, which comes with sherpa-onnx, is not installed');
	const encoder = inInt8 ? 'onnx-int8' : 'onnx';
	const unfit = whyNot(encoder, info);
	return unfit === undefined ? { encoder, reason: '' } : ggml(unfit);
}

/** Largest weights that are loaded twice, for two sessions: the small model is within it, the medium one is not. */
const twoSessionsBytes = 512 * 2 ** 20;

/**
 * Number of threads of each session. A lone clip gets all threads. Concurrent clips get one each, for which a
 * single-threaded session is faster than threads that wait for one another. Pure.
 */
export function sessionThreads(maxThreads: number, weightBytes: number): readonly number[] {
	return maxThreads === 1 || weightBytes > twoSessionsBytes ? [maxThreads] : [1, maxThreads];
}

type EncoderRequest = Pick<EncoderSettings, 'requested' | 'libraryDir' | 'useGpu'>;

/** The encoder that `loadWithEncoder` would choose, given enough memory, found without loading the weights. */
export function encoderFor({
	path: file,
	...request
}: Pick<EncoderSettings, 'path' | keyof EncoderRequest>): EncoderChoice {
	const choice = encoderOf(read(file), request, []);
	if (request.libraryDir === undefined || !/^onnx/.test(choice.encoder)) return choice;
	try {
		addon().sherpaVersion(request.libraryDir);
		return choice;
	} catch (thrown) {
		return { encoder: 'ggml', reason: asEarshotError(fromNative(thrown)).message };
	}
}

function encoderOf(
	file: GgmlFile | undefined,
	{ requested, libraryDir, useGpu }: EncoderRequest,
	refused: readonly EncoderRefusal[],
): EncoderChoice {
	// Not readable: the loader reports what is wrong with it.
	if (file === undefined) return { encoder: 'ggml', reason: '' };
	const onGpu =
		useGpu &&
		addon()
			.devices()
			.some(({ kind }) => /gpu/.test(kind));
	return chooseEncoder({
		requested,
		onGpu,
		hasLibrary: libraryDir !== undefined,
		hasIntegers: addon().integerEncoders(),
		quantised: file.quantised,
		readable: file.tensors.size > 0,
		refused: [...refusalsOf(file), ...refused],
	});
}

/** Encoders that the file itself rules out. Pure. */
export function refusalsOf(file: GgmlFile): readonly EncoderRefusal[] {
	const { audioState, textState } = file.shape;
	const refused: EncoderRefusal[] = [];
	if (audioState !== textState) {
		const why = `its encoder is ${audioState} wide and its decoder ${textState}`;
		refused.push({ encoder: 'int16', why }, { encoder: 'int8', why });
	}
	if (!file.quantised) {
		try {
			encoderGraph(file, '');
		} catch (thrown) {
			const why = reasonOf(thrown);
			refused.push({ encoder: 'onnx', why });
		}
	}
	return refused;
}

/** Errors that may be the encoder's rather than the model's, so another encoder is tried. */
const unfitCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
	'model_load_failed',
	'engine_missing',
	'out_of_memory',
]);

/**
 * Loads a model with the chosen encoder; if that one does not support the model, with the next. Throws what `load`
 * throws with ggml's encoder, which supports every model.
 */
export async function loadWithEncoder<T>(
	settings: EncoderSettings,
	load: (encoders: Encoders) => Promise<T>,
): Promise<EncoderChoice & { readonly model: T }> {
	const refused: EncoderRefusal[] = [];
	for (;;) {
		const encoders = await loadEncoders(settings, refused);
		const { encoder, reason } = encoders;
		try {
			return { model: await load(encoders), encoder, reason };
		} catch (thrown) {
			const { code, message } = asEarshotError(thrown);
			if (encoder === 'ggml' || !unfitCodes.has(code)) throw thrown;
			refused.push({ encoder, why: message });
		}
	}
}

/** Never throws for lack of an encoder: falls back from 8-bit to exact weights, and then to ggml. */
export async function loadEncoders(
	settings: EncoderSettings,
	refused: readonly EncoderRefusal[] = [],
): Promise<Encoders> {
	const ggml = (reason: string): Encoders => ({ encoder: 'ggml', encoders: [], reason });
	const file = read(settings.path);
	const { encoder, reason } = encoderOf(file, settings, refused);
	const bits = encoderBits(encoder);
	if (bits !== undefined) return { encoder, encoders: [], encoderBits: bits, reason };
	if (encoder === 'ggml' || file === undefined || settings.libraryDir === undefined) return ggml(reason);
	const load = { ...settings, libraryDir: settings.libraryDir };
	const because = (...reasons: readonly string[]) => reasons.filter((each) => each !== '').join('; ');
	let note = reason;
	if (encoder === 'onnx-int8') {
		try {
			return { encoder, encoders: await loadInt8(load), reason };
		} catch (thrown) {
			note = because(reason, `the 8-bit encoder is not available: ${asEarshotError(thrown).message}`);
			if (file.quantised || refused.some((each) => each.encoder === 'onnx')) return ggml(note);
		}
	}
	try {
		return { encoder: 'onnx', encoders: await loadSessions(settings.path, file, load), reason: note };
	} catch (thrown) {
		return ggml(because(note, asEarshotError(thrown).message));
	}
}

function encoderBits(encoder: EncoderChoice['encoder']): 8 | 16 | undefined {
	return encoder === 'int16' ? 16 : encoder === 'int8' ? 8 : undefined;
}

type Load = EncoderSettings & { readonly libraryDir: string };

async function loadInt8(load: Load): Promise<Encoder[]> {
	const { path: existing, layout } = await load.int8Weights(load.path);
	try {
		return await loadSessions(existing, layout, load);
	} catch (thrown) {
		if (asEarshotError(thrown).code !== 'model_load_failed') throw thrown;
		// The file may be damaged on disk: create it again.
		const { path: again, layout: fresh } = await load.int8Weights(load.path, true);
		return await loadSessions(again, fresh, load);
	}
}

/** Opens the sessions on the weights in `file`. */
async function loadSessions(file: string, weights: EncoderWeights, load: Load): Promise<Encoder[]> {
	// ONNX Runtime does not follow links out of the folder.
	const place = realpathSync(file);
	const graph = encoderGraph(weights, path.basename(place));
	const encoders: Encoder[] = [];
	for (const threads of sessionThreads(load.maxThreads, loadedBytes(weights))) {
		const session = {
			library: runtimeFile(load.libraryDir),
			graph,
			folder: path.dirname(place),
			threads,
			exactInt8: saturatesInt8(process.arch, addon().processorFlags()),
		};
		encoders.push(await guarded(() => addon().loadEncoder(session)));
	}
	return encoders;
}

function read(file: string): GgmlFile | undefined {
	try {
		return readGgml(file);
	} catch {
		// The loader reports the fault in more detail.
		return undefined;
	}
}

/** Bytes of the encoder's weights in memory, where ONNX Runtime widens half floats. */
function loadedBytes({ tensors }: EncoderWeights): number {
	let bytes = 0;
	for (const [name, { type, length }] of tensors) {
		if (name.startsWith('encoder.')) bytes += type === 'f16' ? 2 * length : length;
	}
	return bytes;
}
