/** Reads a CTranslate2 folder as faster-whisper uses it (`model.bin`, `config.json`, a vocabulary, optionally
 * `preprocessor_config.json`), and converts it to a ggml file. */

import { open, readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { BadCtranslate2, readCtranslate2 } from './ctranslate2-file.js';
import { ctranslate2Model, ctranslate2Names, vocabularyNames } from './ctranslate2-names.js';
import { planWhisper, type WhisperSize } from './ctranslate2-whisper.js';
import { type GgmlContent, ggmlBytes, type WriteDeps, writeGgml } from './ggml-writer.js';
import { melBins, melFilters } from './mel-filters.js';
import { tokensOf } from './whisper-vocabulary.js';

/** Hugging Face's tokenizers of Whisper have 2 to 4 MB. JSON may take fifty times its bytes in memory. */
const maxVocabularyBytes = 16 * 2 ** 20;
/** Mel filters of 128 bands have 0.6 MB. */
const maxConfigBytes = 4 * 2 ** 20;

export interface Ctranslate2Folder {
	readonly model: string;
	readonly content: GgmlContent;
	/** Size of the resulting ggml file. */
	readonly bytes: number;
	/** Value of the option `alignment_heads` in models.yaml; '' = not in the folder. */
	readonly alignmentHeads: string;
}

/** Reads everything but the weights. Throws `BadCtranslate2` naming what is missing or invalid, or the file system's error. */
export async function openCtranslate2(folder: string): Promise<Ctranslate2Folder> {
	const names = (await readdir(folder)).filter((name) => ctranslate2Names.includes(name));
	// A pipe or a device would be read for ever.
	for (const name of names)
		if (!(await stat(path.join(folder, name))).isFile())
			throw new BadCtranslate2(`its ${name} is not a file`);
	if (!names.includes(ctranslate2Model)) throw new BadCtranslate2(`it lacks its ${ctranslate2Model}`);
	const model = path.join(folder, ctranslate2Model);
	const plan = planWhisper(readCtranslate2(model));
	const vocabulary = vocabularyNames.find((name) => names.includes(name));
	if (vocabulary === undefined)
		throw new BadCtranslate2(`it lacks its vocabulary: one of ${vocabularyNames.join(', ')}`);
	const tokens = tokensOf(
		vocabulary,
		await textOf(folder, vocabulary, maxVocabularyBytes),
		plan.size.vocabulary,
	);
	const read = async (name: string) => (names.includes(name) ? await jsonOf(folder, name) : {});
	const filters = filtersOf(await read('preprocessor_config.json'), plan.size.mels);
	const alignmentHeads = headsOf(await read('config.json'), plan.size);
	const content = { plan, filters, tokens };
	return { model, content, bytes: ggmlBytes(content), alignmentHeads };
}

/** Writes the ggml file to `target`, and removes it on failure. Throws as `openCtranslate2`, or the signal's reason. */
export async function convertCtranslate2(
	{ model, content }: Ctranslate2Folder,
	target: string,
	deps: WriteDeps,
): Promise<{ readonly bytes: number; readonly sha256: string }> {
	try {
		return await writeGgml(model, target, content, deps);
	} catch (thrown) {
		await rm(target, { force: true });
		throw thrown;
	}
}

async function textOf(folder: string, name: string, maxBytes: number): Promise<string> {
	const file = path.join(folder, name);
	const handle = await open(file, 'r');
	try {
		const { size } = await handle.stat();
		if (size > maxBytes)
			throw new BadCtranslate2(`${name} has ${size} bytes, and at most ${maxBytes} are read`);
		return await handle.readFile('utf8');
	} finally {
		await handle.close();
	}
}

async function jsonOf(folder: string, name: string): Promise<Readonly<Record<string, unknown>>> {
	let data: unknown;
	try {
		data = JSON.parse(await textOf(folder, name, maxConfigBytes));
	} catch (thrown) {
		if (thrown instanceof SyntaxError) throw new BadCtranslate2(`${name} is not JSON: ${thrown.message}`);
		throw thrown;
	}
	if (typeof data !== 'object' || data === null || Array.isArray(data))
		throw new BadCtranslate2(`${name} is not a JSON object`);
	return data as Record<string, unknown>;
}

/** Mel filters in the file, if any, as [bands][201], or [201][bands] as newer versions of transformers write them; else
 * OpenAI's. */
function filtersOf({ mel_filters: given }: Readonly<Record<string, unknown>>, bands: number): Float32Array {
	if (given === undefined || given === null) return melFilters(bands);
	const rows: readonly unknown[] = Array.isArray(given) ? given : [];
	const [width, transposed] = rows.length === bands ? [melBins, false] : [bands, true];
	const isTable =
		rows.length === (transposed ? melBins : bands) &&
		rows.every((row) => Array.isArray(row) && row.length === width && row.every(isFloat));
	if (!isTable)
		throw new BadCtranslate2(
			`\`mel_filters\` of preprocessor_config.json are not ${bands} times ${melBins} numbers`,
		);
	const table = rows as readonly (readonly number[])[];
	const filters = new Float32Array(bands * melBins);
	for (let band = 0; band < bands; band++)
		for (let bin = 0; bin < melBins; bin++)
			filters[band * melBins + bin] = (transposed ? table[bin]?.[band] : table[band]?.[bin]) ?? 0;
	return filters;
}

/** Whether the value is finite, also after rounding to float32. */
function isFloat(value: unknown): boolean {
	return typeof value === 'number' && Number.isFinite(Math.fround(value));
}

function headsOf(
	{ alignment_heads: given }: Readonly<Record<string, unknown>>,
	{ textLayers, textHeads }: WhisperSize,
): string {
	if (given === undefined || given === null) return '';
	const isBelow = (value: unknown, limit: number) =>
		Number.isInteger(value) && Number(value) >= 0 && Number(value) < limit;
	const isHead = (pair: unknown): pair is readonly [number, number] =>
		Array.isArray(pair) && pair.length === 2 && isBelow(pair[0], textLayers) && isBelow(pair[1], textHeads);
	if (!Array.isArray(given) || !given.every(isHead))
		throw new BadCtranslate2(
			`\`alignment_heads\` of config.json are not pairs of a layer below ${textLayers} and a head below ${textHeads}`,
		);
	return [...new Set(given.map(([layer, head]) => `${layer}.${head}`))].join(' ');
}
