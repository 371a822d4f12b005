/**
 * Validates a model's files before sherpa-onnx reads them, since it ends the process on most faults.
 * The rules are in models/types/.
 */

import { stat } from 'node:fs/promises';
import path from 'node:path';
import { EarshotError } from '../../../core/errors.js';
import type { OnnxFile } from '../../../model-files/onnx-file.js';
import type { Family, Networks } from '../../../models/types/family.js';
import { familyOf, type SherpaType } from '../../../models/types/types.js';
import {
	fetchAgain,
	fieldsOf,
	linesOf,
	maxSymbols,
	readHead,
	readText,
	refuse,
	shown,
	unreadable,
} from './files.js';
import { checkNetwork, readNetwork } from './networks.js';
import { checkTokenizer } from './tokenizer.js';
import { checkTokens } from './tokens.js';

export interface ValidateSettings {
	readonly type: SherpaType;
	/** Role → absolute path. */
	readonly files: Readonly<Record<string, string>>;
	readonly options: Readonly<Record<string, string | number | boolean>>;
}

export interface Checked {
	/** Role → the network's description; without files that are not ONNX (`.ort`). */
	readonly networks: Networks;
}

/** Throws `model_load_failed` naming the file, what is wrong with it, and how to fix it. */
export async function validateFiles({ type, files, options }: ValidateSettings): Promise<Checked> {
	const family = familyOf(type);
	const { networks: rules, tokens, tokenizer, mismatch } = family.requirements;
	checkSet(family, files);
	const networks = new Map<string, OnnxFile>();
	for (const [role, rule] of Object.entries(rules)) {
		const file = files[role];
		if (file === undefined) continue;
		const found = await readNetwork(role, file);
		if (found === undefined) continue;
		checkNetwork(role, file, rule, found, type);
		networks.set(role, found);
	}
	const wrong = mismatch?.(networks);
	if (wrong !== undefined) throw refuse(wrong.role, files[wrong.role] ?? '', wrong.why, wrong.cure);
	if (tokens !== undefined) await checkTokens(files, tokens, networks, type);
	if (tokenizer !== undefined && files.tokenizer !== undefined)
		await checkTokenizer(files.tokenizer, tokenizer);
	await checkOptionFiles(family, options);
	checkLanguage(options.language, type, languagesOf({ networks }, type));
	return { networks };
}

/** Operators that quantise activations dynamically, with one scale per tensor. */
const dynamicOperators = [
	'DynamicQuantizeLinear',
	'DynamicQuantizeMatMul',
	'MatMulIntegerToFloat',
	'DynamicQuantizeLSTM',
];

/** Whether the files support batches of clips: some are exported for a batch of one, and declare that size. Only the
 * network that takes the audio counts, since the library runs NeMo's other networks for one clip at a time anyway. */
export function allowsBatches({ networks }: Checked): boolean {
	const network = networks.get('encoder') ?? networks.get('model');
	return network?.inputs[0]?.shape?.[0] !== 1;
}

/** Whether a clip's result depends on the clips it is batched with. Judged by the operators, else by the file name. */
export function isDynamicallyQuantised(
	{ networks }: Checked,
	files: Readonly<Record<string, string>>,
): boolean {
	for (const { operators } of networks.values()) {
		if (dynamicOperators.some((operator) => operators.has(operator))) return true;
	}
	return Object.values(files).some((file) =>
		/(^|[-_.])(int8|uint8|quantized|q8)([-_.]|$)/i.test(path.basename(file)),
	);
}

/** The language codes that a request may give: from the model's file, or its family; null = unknown. */
export function languagesOf({ networks }: Checked, type: SherpaType): readonly string[] | null {
	const { languageInput, languageKeys, languages } = familyOf(type);
	if (languageInput !== undefined) {
		const { role, name, dictionary } = languageInput;
		const network = networks.get(role);
		if (!network?.inputs.some((input) => input.name === name)) return null;
		return languagesIn(network.metadata.get(dictionary) ?? '');
	}
	const metadata = languageKeys && networks.get(languageKeys.role)?.metadata;
	if (languageKeys === undefined || metadata === undefined) return languages ?? null;
	if (metadata.get(languageKeys.multilingual) !== '1') return ['en'];
	return (metadata.get(languageKeys.codes) ?? '').split(',').map((code) => code.trim());
}

/**
 * Codes in a dictionary of prompts in sherpa-onnx's formats, `{"en-US": 0, "auto": 101}` or `en-US=0;auto=101`, and
 * their languages without the country; null = none.
 */
function languagesIn(dictionary: string): readonly string[] | null {
	const entries = dictionary.replaceAll(/[{}[\]]/g, ' ').split(/[,;\n]/);
	const codes = entries.flatMap((entry) => {
		const [, code] = /^\s*["']?<?([\w-]+)>?["']?\s*[:=]\s*["']?\d+["']?\s*$/.exec(entry) ?? [];
		return code === undefined ? [] : [code.toLowerCase().replaceAll('_', '-')];
	});
	const locales = codes.filter((code) => code !== 'auto');
	const all = [...new Set([...locales.map((code) => code.split('-', 1)[0] ?? code), ...locales])];
	return all.length === 0 ? null : all;
}

/** With a wrong language, Whisper ends the process at the first clip; others return no text, or another language. */
function checkLanguage(
	language: string | number | boolean | undefined,
	type: SherpaType,
	known: readonly string[] | null,
): void {
	if (typeof language !== 'string' || language === '' || known === null || known.includes(language)) return;
	if (language === 'auto' && familyOf(type).detectsLanguage === true) return;
	throw new EarshotError(
		'model_load_failed',
		`its option \`language\` should be one of ${known.join(', ')}, but is \`${language}\``,
	);
}

/** For a type with several sets of files, the files must form exactly one set. */
function checkSet({ fileSets }: Family, files: ValidateSettings['files']): void {
	if (fileSets === undefined) return;
	const given = Object.keys(files).filter((role) => files[role] !== undefined);
	const isWhole = fileSets.some(
		({ roles }) => roles.length === given.length && roles.every((role) => given.includes(role)),
	);
	if (isWhole) return;
	const sets = fileSets.map(({ name, roles }) => `${name} (${roles.join(', ')})`);
	throw new EarshotError(
		'model_load_failed',
		`its files are neither ${sets.join(' nor ')}; it has ${given.join(', ')}; give the files of one set`,
	);
}

/** Checks the vocabulary of a BPE model as sentencepiece exports it: a symbol and its score in each line. */
async function checkBpeVocab(file: string): Promise<void> {
	let symbols = 0;
	for (const [number, line] of linesOf(await readText('bpe_vocab', file))) {
		const fields = fieldsOf(line, 3);
		if (fields.length === 0) continue;
		if (fields.length > 2 || !Number.isFinite(Number(fields.at(-1))))
			throw refuse(
				'bpe_vocab',
				file,
				`line ${number} should be a symbol and its score, but is \`${shown(line)}\``,
				'take the bpe.vocab that came with the model',
			);
		if (++symbols > maxSymbols)
			throw refuse('bpe_vocab', file, `it has more than ${maxSymbols} symbols`, fetchAgain);
	}
}

/** OpenFst, fst.cc: kFstMagicNumber. */
const fstMagic = 2125659606;

/** Checks options that name files, since the library ends the process if one is missing. */
async function checkOptionFiles(family: Family, options: ValidateSettings['options']): Promise<void> {
	for (const [name, value] of Object.entries(options)) {
		if (family.options?.[name]?.kind !== 'files' || typeof value !== 'string') continue;
		for (const file of value.split(',')) {
			const found = await stat(file).catch((thrown: unknown) => {
				throw unreadable(name, file, thrown);
			});
			if (!found.isFile() || found.size === 0) throw refuse(name, file, 'it is empty', fetchAgain);
			if (name === 'bpe_vocab') await checkBpeVocab(file);
			if (name === 'rule_fsts' && (await readHead(file, 4)).readInt32LE() !== fstMagic)
				throw refuse(name, file, 'it is not an OpenFst transducer', fetchAgain);
		}
	}
}
