/** What encodes for a Whisper model: our own encoder in integers, ONNX Runtime exactly or in 8 bits, or ggml. */

import { realpathSync } from 'node:fs';
import path from 'node:path';
import type { Encoder } from '../../../binding.js';
import { addon, fromNative, guarded } from '../../addon/addon.js';
import { saturatesInt8 } from '../../addon/cpu.js';
import { runtimeFile } from '../../addon/libraries.js';
import type { EncoderName } from '../../config/settings.js';
import { asEarshotError, type ErrorCode } from '../../errors.js';
import { type GgmlFile, readGgml } from '../../model-files/ggml-file.js';
import { type EncoderWeights, encoderGraph } from './encoder-graph.js';
import type { Int8File } from './int8-store.js';

export interface EncoderSettings {
	readonly wanted: EncoderName;
	/** The ggml file. */
	readonly path: string;
	/** Folder of the sherpa-onnx libraries, of which ONNX Runtime is one; undefined = they are not here. */
	readonly libraryDir: string | undefined;
	readonly maxThreads: number;
	/** Whether a GPU of the machine may be used. */
	readonly useGpu: boolean;
	/** The file of the 8-bit weights of a ggml file, made where it is not there or `again`; throws why it cannot be. */
	readonly int8Weights: (file: string, again?: boolean) => Promise<Int8File>;
}

export interface Encoders extends EncoderChoice {
	/** For the addon. */
	readonly encoders: readonly Encoder[];
	/** Of integers, for the addon; with neither, ggml encodes. */
	readonly encoderBits?: 8 | 16;
}

/** A file whose encoder can be run, or not. */
interface Facts {
	readonly wanted: EncoderName;
	readonly onGpu: boolean;
	readonly hasLibrary: boolean;
	/** The processor has the instructions for int16 and int8. */
	readonly hasIntegers: boolean;
	readonly quantised: boolean;
	/** The tensors are of types that are known here. */
	readonly readable: boolean;
	/** What has been found not to do for the file. */
	readonly refused: readonly EncoderRefusal[];
}

export interface EncoderRefusal {
	readonly encoder: EncoderChoice['encoder'];
	readonly why: string;
}

export interface EncoderChoice {
	readonly encoder: Exclude<EncoderName, 'auto' | 'exact'>;
	/** Why it is not the one that is faster or was asked for; '' = nobody would wonder. */
	readonly reason: string;
}

/** Integers, else ONNX Runtime, else ggml, of which `exact` is without integers: what the settings, the file and the machine allow. Pure. */
export function chooseEncoder(info: Facts): EncoderChoice {
	const { wanted, onGpu, hasIntegers, quantised } = info;
	if (wanted === 'ggml' || ((wanted === 'auto' || wanted === 'exact') && onGpu))
		return { encoder: 'ggml', reason: '' };
	const inIntegers = wanted === 'int16' || wanted === 'int8';
	if (inIntegers && onGpu)
		return { encoder: 'ggml', reason: `the model is on a GPU, and ${wanted} is for processors` };
	// What is quantised is to be small in memory, and the weights of int16 are not.
	const integers = inIntegers ? wanted : wanted === 'auto' && hasIntegers && !quantised ? 'int16' : undefined;
	if (integers === undefined) return chooseSession(info);
	const unfit = hasIntegers ? whyNot(integers, info) : `no ${integers} by this build on this processor`;
	if (unfit === undefined) return { encoder: integers, reason: '' };
	const { encoder, reason } = chooseSession(info);
	return { encoder, reason: [unfit, reason].filter((each) => each !== '').join('; ') };
}

const isQuantised = 'the model is quantised';

function whyNot(encoder: EncoderChoice['encoder'], { refused }: Facts): string | undefined {
	const refusal = refused.find((each) => each.encoder === encoder);
	return refusal && `no ${encoder} for this model: ${refusal.why}`;
}

function chooseSession(info: Facts): EncoderChoice {
	const { wanted, hasLibrary, quantised, readable } = info;
	const ggml = (reason: string) => ({ encoder: 'ggml', reason }) as const;
	const inInt8 = wanted === 'onnx-int8' || wanted === 'int8';
	// What is quantised is to be small in memory, and f32 weights are not.
	if (quantised && !inInt8) return ggml(isQuantised);
	if (!readable) return ggml(`${isQuantised}, in a way that cannot be read for another encoder`);
	if (!hasLibrary) return ggml('ONNX Runtime, which comes with sherpa-onnx, is not here');
	const encoder = inInt8 ? 'onnx-int8' : 'onnx';
	const unfit = whyNot(encoder, info);
	return unfit === undefined ? { encoder, reason: '' } : ggml(unfit);
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

/** What encodes for a file, found out without loading its weights: as `loadWithEncoder` has it while there is memory. */
export function encoderFor({
	path: file,
	...wishes
}: Pick<EncoderSettings, 'path' | keyof Wishes>): EncoderChoice {
	const choice = encoderOf(read(file), wishes, []);
	if (wishes.libraryDir === undefined || !/^onnx/.test(choice.encoder)) return choice;
	try {
		addon().sherpaVersion(wishes.libraryDir);
		return choice;
	} catch (thrown) {
		return { encoder: 'ggml', reason: asEarshotError(fromNative(thrown)).message };
	}
}

function encoderOf(
	file: GgmlFile | undefined,
	{ wanted, libraryDir, useGpu }: Wishes,
	refused: readonly EncoderRefusal[],
): EncoderChoice {
	// The loader says what is wrong with it.
	if (file === undefined) return { encoder: 'ggml', reason: '' };
	const onGpu =
		useGpu &&
		addon()
			.devices()
			.some(({ kind }) => /gpu/.test(kind));
	return chooseEncoder({
		wanted,
		onGpu,
		hasLibrary: libraryDir !== undefined,
		hasIntegers: addon().integerEncoders(),
		quantised: file.quantised,
		readable: file.tensors.size > 0,
		refused: [...refusalsOf(file), ...refused],
	});
}

/** What the file itself rules out. Pure. */
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
			const why = thrown instanceof Error ? thrown.message : String(thrown);
			refused.push({ encoder: 'onnx', why });
		}
	}
	return refused;
}

/** What may be wrong with an encoder for a model, and not with the model. */
const unfitCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
	'model_load_failed',
	'engine_missing',
	'out_of_memory',
]);

/**
 * Loads a model with the encoder that it gets, and where that one does not take the model with the next. Throws what
 * `load` throws with ggml's, which takes every model.
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

/** Never throws for want of an encoder: where 8-bit weights cannot be had, the exact ones are, and ggml's always. */
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
			note = because(reason, `no 8-bit encoder: ${asEarshotError(thrown).message}`);
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
	const { path: made, layout } = await load.int8Weights(load.path);
	try {
		return await loadSessions(made, layout, load);
	} catch (thrown) {
		if (asEarshotError(thrown).code !== 'model_load_failed') throw thrown;
		// The disk may have lost what was written.
		const { path: again, layout: fresh } = await load.int8Weights(load.path, true);
		return await loadSessions(again, fresh, load);
	}
}

/** On the weights in `file`. */
async function loadSessions(file: string, weights: EncoderWeights, load: Load): Promise<Encoder[]> {
	// ONNX Runtime follows no link out of the folder.
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
		// Whoever loads it says so better.
		return undefined;
	}
}

/** Of the encoder's weights in memory, where ONNX Runtime has no half floats. */
function loadedBytes({ tensors }: EncoderWeights): number {
	let bytes = 0;
	for (const [name, { type, length }] of tensors) {
		if (name.startsWith('encoder.')) bytes += type === 'f16' ? 2 * length : length;
	}
	return bytes;
}
