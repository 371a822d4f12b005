/**
 * Looks at a model's files before sherpa-onnx does, which ends the process on most of what can be wrong with
 * them. What it looks for stands in needs.ts.
 */

import { open, readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { EarshotError } from '../../errors.js';
import { NotOnnx } from '../../model-files/onnx-fields.js';
import { type OnnxFile, type OnnxValue, readOnnx } from '../../model-files/onnx-file.js';
import { type Network, needs, type TokensRule, typesByModelType } from '../../models/types/requirements.js';
import { type Family, familyOf, type SherpaType } from '../../models/types/types.js';

export interface PreflightSettings {
	readonly type: SherpaType;
	/** Role → absolute path. */
	readonly files: Readonly<Record<string, string>>;
	readonly options: Readonly<Record<string, string | number | boolean>>;
}

export interface Checked {
	/** Role → what its file says of itself; without those that are not ONNX (`.ort`). */
	readonly networks: ReadonlyMap<string, OnnxFile>;
}

/** Throws `model_load_failed` naming the file, what is wrong with it, and what would cure it. */
export async function preflight({ type, files, options }: PreflightSettings): Promise<Checked> {
	const family = familyOf(type);
	const { networks: wanted, tokens, tokenizer } = needs[type];
	checkSet(type, files);
	const networks = new Map<string, OnnxFile>();
	for (const [role, network] of Object.entries(wanted)) {
		const file = files[role];
		if (file === undefined) continue;
		const found = await readNetwork(role, file);
		if (found === undefined) continue;
		checkNetwork(role, file, network, found, type);
		networks.set(role, found);
	}
	checkTogether(type, files, networks);
	if (tokens !== undefined && files.tokens !== undefined) {
		const base64 = tokens.base64 === true || files.merged_decoder !== undefined;
		checkTokens(files.tokens, await readText('tokens', files.tokens), { ...tokens, base64 }, networks, type);
	}
	if (tokenizer !== undefined && files.tokenizer !== undefined)
		await checkTokenizer(files.tokenizer, tokenizer);
	await checkOptionFiles(family, options);
	checkLanguage(options.language, type, languagesOf({ networks }, type));
	return { networks };
}

/** Operators that quantise activations as they come, with one scale for all that is in the tensor. */
const dynamicOperators = [
	'DynamicQuantizeLinear',
	'DynamicQuantizeMatMul',
	'MatMulIntegerToFloat',
	'DynamicQuantizeLSTM',
];

/** Whether a clip's result depends on the clips it is batched with. A name says so where the file cannot. */
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

/** The codes that a model may be asked for: its file's own list, or its family's; null = not told. */
export function languagesOf({ networks }: Checked, type: SherpaType): readonly string[] | null {
	const { languageInput } = familyOf(type);
	if (languageInput !== undefined) {
		const { role, name, dictionary } = languageInput;
		const network = networks.get(role);
		if (!network?.inputs.some((input) => input.name === name)) return null;
		return languagesIn(network.metadata.get(dictionary) ?? '');
	}
	const metadata = networks.get('encoder')?.metadata;
	if (type !== 'whisper' || metadata === undefined) return familyOf(type).languages ?? null;
	if (metadata.get('is_multilingual') !== '1') return ['en'];
	return (metadata.get('all_language_codes') ?? '').split(',').map((code) => code.trim());
}

/**
 * Codes in a dictionary of prompts as sherpa-onnx reads it, `{"en-US": 0, "auto": 101}` or `en-US=0;auto=101`, and
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

/** Whisper ends the process at the first clip; the others hear nothing, or another language. */
function checkLanguage(
	language: string | number | boolean | undefined,
	type: SherpaType,
	known: readonly string[] | null,
): void {
	if (typeof language !== 'string' || language === '' || known === null || known.includes(language)) return;
	if (language === 'auto' && familyOf(type).detectsLanguage === true) return;
	throw new EarshotError(
		'model_load_failed',
		`its option \`language\` should be one of ${known.join(', ')} and is \`${language}\``,
	);
}

// ---- one file ----------------------------------------------------------------------------------

function refuse(role: string, file: string, why: string, cure: string): EarshotError {
	return new EarshotError(
		'model_load_failed',
		`its file \`${role}\` cannot be used: ${file}: ${why}; ${cure}`,
	);
}

const fetchAgain = 'fetch it again, whole';

/** Moonshine's files come in two sets, and the library takes a mixture for either. */
function checkSet(type: SherpaType, files: Readonly<Record<string, string>>): void {
	if (type !== 'moonshine') return;
	const first = ['preprocessor', 'uncached_decoder', 'cached_decoder'];
	const given = first.filter((role) => files[role] !== undefined);
	if (files.merged_decoder !== undefined ? given.length === 0 : given.length === first.length) return;
	throw new EarshotError(
		'model_load_failed',
		`its files are neither Moonshine's first version (${first.join(', ')}, encoder, tokens) nor its second ` +
			`(encoder, merged_decoder, tokens); it has ${Object.keys(files).join(', ')}`,
	);
}

async function readNetwork(role: string, file: string): Promise<OnnxFile | undefined> {
	try {
		const { size } = await stat(file);
		if (size > 8 && (await isOrt(file))) return undefined;
		const found = await readOnnx(file);
		for (const name of found.externalData) {
			const beside = path.join(path.dirname(file), name);
			if (!(await stat(beside).catch(() => undefined))?.isFile())
				throw new NotOnnx(`its weights are in ${name}, which is not beside it`);
		}
		return found;
	} catch (thrown) {
		if (thrown instanceof NotOnnx) throw refuse(role, file, thrown.message, fetchAgain);
		throw unreadable(role, file, thrown);
	}
}

/** ONNX Runtime's own format, a FlatBuffer that begins with an offset and `ORTM`. It is taken at its word. */
async function isOrt(file: string): Promise<boolean> {
	if (!file.endsWith('.ort')) return false;
	const head = await readHead(file, 8);
	if (head.subarray(4, 8).toString('latin1') === 'ORTM') return true;
	throw new NotOnnx('it is not a model of ONNX Runtime');
}

async function readHead(file: string, length: number): Promise<Buffer> {
	const handle = await open(file, 'r');
	try {
		return (await handle.read(Buffer.alloc(length), 0, length, 0)).buffer;
	} finally {
		await handle.close();
	}
}

async function readText(role: string, file: string): Promise<string> {
	try {
		const text = await readFile(file, 'utf8');
		if (text.trim() === '') throw new NotOnnx('it is empty');
		return text;
	} catch (thrown) {
		if (thrown instanceof NotOnnx) throw refuse(role, file, thrown.message, fetchAgain);
		throw unreadable(role, file, thrown);
	}
}

function unreadable(role: string, file: string, thrown: unknown): EarshotError {
	const why = thrown instanceof Error ? thrown.message : String(thrown);
	return new EarshotError('model_load_failed', `its file \`${role}\` cannot be read: ${why || file}`, {
		cause: thrown,
	});
}

function checkNetwork(
	role: string,
	file: string,
	network: Network,
	{ metadata, inputs, outputs }: OnnxFile,
	type: SherpaType,
): void {
	const told = metadata.get('model_type');
	const others = typesByModelType.find(([pattern]) => told !== undefined && pattern.test(told))?.[1];
	const otherType =
		others !== undefined && !others.includes(type)
			? `its metadata says \`model_type\` = \`${told}\`, so its type is \`${others[0]}\` and not \`${type}\``
			: undefined;
	const no = (
		why: string,
		cure = `export it again with that, or check \`type\` and \`files\` (type is \`${type}\`)`,
	) => refuse(role, file, why, cure);
	if (familyOf(type).chunk === undefined && streamingKeys.some((key) => metadata.has(key))) {
		throw no('it is a streaming model', 'write the `type` of such: one that begins with `streaming_`');
	}
	if (otherType !== undefined) throw no(otherType, `write \`type: ${others?.[0]}\``);
	if (network.modelType && !network.modelType.test(told ?? '')) {
		throw no(`its metadata has ${told === undefined ? 'no `model_type`' : `\`model_type\` = \`${told}\``}`);
	}
	const flavour = metadata.get('comment') ?? '';
	// Fun-ASR-Nano's CTC half goes under SenseVoice's name, without its languages.
	const isNano = type === 'sense_voice' && flavour.includes('Nano');
	for (const key of network.integers ?? []) {
		const value = metadata.get(key);
		if (isNano && !/^(vocab_size|lfr_)/.test(key)) continue;
		if (value === undefined) throw no(`its metadata has no \`${key}\``);
		if (!/^-?\d+$/.test(value.trim()))
			throw no(`its \`${key}\` should be a whole number and is \`${shown(value)}\``);
		if (sizes.test(key) && Number(value) <= 0) throw no(`its \`${key}\` is ${value}`);
	}
	for (const key of network.lists ?? []) {
		const value = metadata.get(key);
		if (isNano) continue;
		if (value === undefined) throw no(`its metadata has no \`${key}\``);
		if (value === '' || value.split(',').some((part) => part.trim() === '' || !Number.isFinite(Number(part))))
			throw no(`its \`${key}\` should be numbers with commas between them`);
	}
	const [first, second] = (network.lists ?? []).map((key) => metadata.get(key)?.split(',').length);
	if (type !== 'whisper' && first !== undefined && second !== undefined && first !== second)
		throw no(`its ${network.lists?.map((key) => `\`${key}\``).join(' and ')} are of different lengths`);
	for (const key of network.texts ?? []) {
		if ((metadata.get(key) ?? '') === '') throw no(`its metadata has no \`${key}\``);
	}
	if (!fits(inputs, network.inputs)) {
		throw no(
			`it takes ${listOf(inputs)} where \`${role}\` of \`${type}\` takes ${network.inputs.map(spelled).join(', ')}`,
			'files may be swapped, or of another model: check `files` and `type`',
		);
	}
	if (outputs.length < (network.outputs ?? 1)) {
		throw no(
			`it gives ${outputs.length} outputs where \`${role}\` of \`${type}\` gives ${network.outputs ?? 1}`,
			'files may be swapped, or of another model: check `files` and `type`',
		);
	}
}

/** Metadata of models that decode chunk by chunk: Zipformer's, NeMo's, Paraformer's. */
const streamingKeys = ['decode_chunk_len', 'chunk_shift', 'decoder_num_blocks', 'streaming_model_type'];

/** Metadata that sizes something. */
const sizes = /size|shift|factor|dim|layers?$|blocks$|head$|hidden|max_len|max_total_len|chunk|^T$|^n_/;

function fits(inputs: readonly OnnxValue[], wanted: readonly string[]): boolean {
	if (inputs.length < wanted.length) return false;
	return wanted.every((want, index) => {
		const { elementType, shape } = inputs[index] ?? { elementType: 0, shape: undefined };
		const types = elementTypes[want[0] ?? ''];
		if (types !== undefined && elementType !== 0 && !types.includes(elementType)) return false;
		return want[1] === '*' || shape === undefined || shape.length === Number(want[1]);
	});
}

const elementTypes: Readonly<Record<string, readonly number[]>> = { f: [1, 10], i: [6, 7], b: [9] };
const typeNames: Readonly<Record<number, string>> = {
	1: 'float',
	10: 'float16',
	6: 'int32',
	7: 'int64',
	9: 'bool',
};
const letterNames: Readonly<Record<string, string>> = { f: 'float', i: 'int', b: 'bool', '*': 'any' };

function listOf(values: readonly OnnxValue[]): string {
	const each = values.map(
		({ name, elementType, shape }) =>
			`${name} (${typeNames[elementType] ?? 'other'}, ${shape?.length ?? '?'} dimensions)`,
	);
	return each.length === 0 ? 'nothing' : each.join(', ');
}

function spelled(want: string): string {
	return `${letterNames[want[0] ?? ''] ?? ''} of ${want[1] === '*' ? 'any number of' : want[1]} dimensions`;
}

function shown(text: string): string {
	return text.length > 40 ? `${text.slice(0, 37)}…` : text;
}

// ---- several files -----------------------------------------------------------------------------

function checkTogether(
	type: SherpaType,
	files: Readonly<Record<string, string>>,
	networks: ReadonlyMap<string, OnnxFile>,
): void {
	const encoder = networks.get('encoder');
	const decoder = networks.get('decoder');
	checkStates(type, files, networks);
	checkSizes(type, files, networks);
	if (type === 'canary' && encoder && decoder) {
		const layers = Number(encoder.metadata.get('num_decoder_layers') ?? 6);
		if (decoder.inputs.length !== layers + 3) {
			throw refuse(
				'decoder',
				files.decoder ?? '',
				`it has ${decoder.inputs.length - 3} states, and the encoder's \`num_decoder_layers\` is ${layers}`,
				'the two are not of one model',
			);
		}
	}
	const joiner = networks.get('joiner');
	if ((type === 'nemo_transducer' || type === 'streaming_nemo_transducer') && encoder && joiner) {
		const width = joiner.outputs[0]?.shape?.at(-1);
		const symbols = Number(encoder.metadata.get('vocab_size')) + 1;
		const isTdt = type === 'nemo_transducer' && (encoder.metadata.get('url') ?? '').includes('tdt');
		if (typeof width === 'number' && width !== symbols && !(isTdt && width > symbols)) {
			throw refuse(
				'joiner',
				files.joiner ?? '',
				`it scores ${width} symbols, and the encoder's \`vocab_size\` is ${symbols - 1}`,
				type === 'nemo_transducer'
					? 'the two are not of one model, or the metadata `url` lacks `tdt`'
					: 'the two are not of one model',
			);
		}
	}
}

/** A streaming model that hands back fewer states than it says kills the process. */
function checkStates(
	type: SherpaType,
	files: Readonly<Record<string, string>>,
	networks: ReadonlyMap<string, OnnxFile>,
): void {
	const role = type === 'streaming_transducer' ? 'encoder' : 'model';
	const zipformer = networks.get(role);
	if (zipformer && (type === 'streaming_transducer' || type === 'streaming_zipformer_ctc')) {
		const layers = (zipformer.metadata.get('num_encoder_layers') ?? '').split(',').map(Number);
		// Six of each layer, one of the frames' embedding, and a count; beside the frames, or what is heard in them.
		const wanted = 6 * layers.reduce((sum, each) => sum + each, 0) + 3;
		checkCounts(role, files[role] ?? '', zipformer, wanted, '`num_encoder_layers`');
	}
	const [encoder, decoder] = [networks.get('encoder'), networks.get('decoder')];
	if (type === 'streaming_paraformer' && encoder && decoder) {
		const blocks = Number(encoder.metadata.get('decoder_num_blocks'));
		if (decoder.inputs.length !== blocks + 4 || decoder.outputs.length !== blocks + 2) {
			throw refuse(
				'decoder',
				files.decoder ?? '',
				`it has ${decoder.inputs.length - 4} states, and the encoder's \`decoder_num_blocks\` is ${blocks}`,
				'the two are not of one model',
			);
		}
	}
}

/** Where NeMo's metadata and inputs are of different sizes, every clip fails. */
function checkSizes(
	type: SherpaType,
	files: Readonly<Record<string, string>>,
	networks: ReadonlyMap<string, OnnxFile>,
): void {
	const role = type === 'streaming_nemo_ctc' ? 'model' : 'encoder';
	const encoder = networks.get(role);
	if (!encoder || (type !== 'streaming_nemo_ctc' && type !== 'streaming_nemo_transducer')) return;
	const told = (prefix: string) => [1, 2, 3].map((axis) => `${prefix}_dim${axis}`);
	const lists: [role: string, input: number, keys: readonly (string | null)[]][] = [
		[role, 0, [null, null, 'window_size']],
		[role, 2, [null, ...told('cache_last_channel')]],
		[role, 3, [null, ...told('cache_last_time')]],
		['decoder', 2, ['pred_rnn_layers', null, 'pred_hidden']],
		['decoder', 3, ['pred_rnn_layers', null, 'pred_hidden']],
	];
	for (const [owner, index, keys] of lists) {
		const input = networks.get(owner)?.inputs[index];
		for (const [axis, key] of keys.entries()) {
			const size = input?.shape?.[axis];
			if (key === null || typeof size !== 'number' || size === Number(encoder.metadata.get(key))) continue;
			throw refuse(
				owner,
				files[owner] ?? '',
				`its input ${input?.name} takes ${size}, and the \`${key}\` of \`${role}\` is ${encoder.metadata.get(key)}`,
				'export it again, or check that its files are of one model',
			);
		}
	}
	const prompted = encoder.inputs.findIndex(({ name }) => name === 'prompt_index');
	if (type === 'streaming_nemo_transducer' && encoder.inputs.length > 5 && prompted !== 5) {
		throw refuse(
			role,
			files[role] ?? '',
			`it takes ${encoder.inputs.length} inputs, of which the sixth is not \`prompt_index\``,
			'export it again',
		);
	}
	if (type === 'streaming_nemo_transducer' && typeof encoder.inputs[0]?.shape?.[1] !== 'number') {
		throw refuse(
			role,
			files[role] ?? '',
			`its input ${encoder.inputs[0]?.name} does not tell how many features a frame has`,
			'export it again with that',
		);
	}
}

function checkCounts(role: string, file: string, found: OnnxFile, wanted: number, key: string): void {
	if (found.inputs.length === wanted && found.outputs.length === wanted) return;
	const { inputs, outputs } = found;
	throw refuse(
		role,
		file,
		`it takes ${inputs.length} inputs and gives ${outputs.length} outputs, and its ${key} asks for ${wanted} of each`,
		'export it again',
	);
}

function checkTokens(
	file: string,
	text: string,
	rule: TokensRule,
	networks: ReadonlyMap<string, OnnxFile>,
	type: SherpaType,
): void {
	const no = (why: string, cure = `take the tokens.txt that came with the model (type is \`${type}\`)`) =>
		refuse('tokens', file, why, cure);
	const symbols = new Map<number, string>();
	for (const [index, line] of text.split('\n').entries()) {
		if (line.trim() === '') continue;
		const parts = /^(.*?)[ \t]+(\d+)\s*$/.exec(line) ?? /^()\s*(\d+)\s*$/.exec(line);
		if (parts === null)
			throw no(`line ${index + 1} should be a symbol and its number and is \`${shown(line)}\``);
		const id = Number(parts[2]);
		if (symbols.has(id)) throw no(`line ${index + 1} gives the number ${id} a second time`);
		symbols.set(id, parts[1] ?? '');
	}
	const known = new Set(symbols.values());
	if (rule.blank && !rule.blank.some((name) => known.has(name)))
		throw no(`it has no blank: one of ${rule.blank.join(', ')}`);
	for (const name of rule.all ?? []) {
		if (!known.has(name)) throw no(`it has no ${name}`);
	}
	if (rule.base64 === true) {
		const plain = [...symbols].find(([, symbol]) => !/^[A-Za-z0-9+/]*={0,2}$/.test(symbol));
		if (plain) throw no(`its symbol ${plain[0]} is not base64, as all should be`);
	}
	const highest = Math.max(...symbols.keys());
	const gap =
		rule.base64 === true ? undefined : [...Array(highest + 1).keys()].find((id) => !symbols.has(id));
	if (gap !== undefined) throw no(`the number ${gap} is missing`);
	if (rule.last !== undefined && symbols.get(highest) !== rule.last)
		throw no(`its last symbol should be ${rule.last} and is ${symbols.get(highest)}`);
	if (rule.count !== undefined) {
		const { role, key, more } = rule.count;
		const wanted = Number(networks.get(role)?.metadata.get(key)) + more;
		if (symbols.size !== wanted)
			throw no(`it has ${symbols.size} symbols, and the \`${key}\` of \`${role}\` asks for ${wanted}`);
	}
	const scored = rule.count !== undefined ? undefined : scoredSymbols(networks);
	if (scored !== undefined && highest + 1 < scored)
		throw no(`it has ${highest + 1} symbols, and the model speaks ${scored}`);
}

/** How many symbols the network that speaks chooses from, where its file tells. */
function scoredSymbols(networks: ReadonlyMap<string, OnnxFile>): number | undefined {
	const speaking = ['joiner', 'decoder', 'uncached_decoder', 'merged_decoder', 'model'];
	const speaker = speaking.map((role) => networks.get(role)).find((network) => network !== undefined);
	// Whisper's text ends where its special tokens begin; a vocabulary may leave the rarest out.
	const firstSpecial = networks.get('encoder')?.metadata.get('eot');
	const told = (networks.get('model') ?? networks.get('decoder'))?.metadata.get('vocab_size');
	if (firstSpecial !== undefined && networks.get('encoder')?.metadata.has('sot_sequence') === true)
		return Math.floor(Number(firstSpecial) / 2);
	if (told !== undefined && /^\d+$/.test(told)) return Number(told);
	const width = speaker?.outputs[0]?.shape?.at(-1);
	return typeof width === 'number' ? width : undefined;
}

async function checkTokenizer(folder: string, names: readonly string[]): Promise<void> {
	const there = await readdir(folder).catch((thrown: unknown) => {
		throw unreadable('tokenizer', folder, thrown);
	});
	for (const name of names) {
		const file = path.join(folder, name);
		if (!there.includes(name)) {
			throw refuse('tokenizer', folder, `it has no ${name}`, `it should hold ${names.join(', ')}`);
		}
		const text = await readText('tokenizer', file);
		if (name.endsWith('.json') && !isObject(text))
			throw refuse('tokenizer', file, 'it is not JSON', fetchAgain);
		if (name === 'merges.txt' && !text.startsWith('#version') && !/^\S+ \S+\r?$/m.test(text))
			throw refuse('tokenizer', file, 'it holds no merges', fetchAgain);
	}
}

function isObject(text: string): boolean {
	try {
		const value: unknown = JSON.parse(text);
		return typeof value === 'object' && value !== null;
	} catch {
		return false;
	}
}

/** OpenFst, fst.cc: kFstMagicNumber. */
const fstMagic = 2125659606;

/** Options that name files: the library ends the process where one is missing. */
async function checkOptionFiles(family: Family, options: PreflightSettings['options']): Promise<void> {
	for (const [name, value] of Object.entries(options)) {
		if (family.options?.[name]?.kind !== 'files' || typeof value !== 'string') continue;
		for (const file of value.split(',')) {
			const found = await stat(file).catch((thrown: unknown) => {
				throw unreadable(name, file, thrown);
			});
			if (!found.isFile() || found.size === 0) throw refuse(name, file, 'it is empty', fetchAgain);
			if (name === 'rule_fsts' && (await readHead(file, 4)).readInt32LE() !== fstMagic)
				throw refuse(name, file, 'it is not a transducer of OpenFst', fetchAgain);
		}
	}
}
