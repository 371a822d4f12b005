/** Validates a tokens.txt against its type's rule and the vocabulary size of the networks. */

import type { EarshotError } from '../../../core/errors.js';
import type { Networks, TokensRule } from '../../../models/types/family.js';
import { fieldsOf, linesOf, maxSymbols, readText, refuse, shown } from './files.js';

/** Throws `model_load_failed`. Does nothing for a model without the role `tokens`. */
export async function checkTokens(
	files: Readonly<Record<string, string>>,
	rule: TokensRule,
	networks: Networks,
	type: string,
): Promise<void> {
	const file = files.tokens;
	if (file === undefined) return;
	const { base64: when = false } = rule;
	const isBase64 = typeof when === 'boolean' ? when : files[when.with] !== undefined;
	const text = await readText('tokens', file);
	const no = (why: string, cure = `take the tokens.txt that came with the model (type is \`${type}\`)`) =>
		refuse('tokens', file, why, cure);
	const symbols = symbolsIn(text, no);
	const known = new Set(symbols.values());
	if (rule.blank && !rule.blank.some((name) => known.has(name)))
		throw no(`it has no blank: one of ${rule.blank.join(', ')}`);
	for (const name of rule.all ?? []) {
		if (!known.has(name)) throw no(`it has no ${name}`);
	}
	if (isBase64) {
		const plain = [...symbols].find(([, symbol]) => !/^[A-Za-z0-9+/]*={0,2}$/.test(symbol));
		if (plain) throw no(`its symbol ${plain[0]} is not base64, as all should be`);
	}
	// Numbers are distinct, so without a gap they are 0 to count - 1. Checked up to the count, as a hostile one may be huge.
	const gap = isBase64 ? undefined : firstMissing(symbols);
	if (gap !== undefined) throw no(`the number ${gap} is missing`);
	const highest = [...symbols.keys()].reduce((most, id) => Math.max(most, id), -1);
	if (rule.last !== undefined && symbols.get(highest) !== rule.last)
		throw no(`its last symbol should be ${rule.last}, but is ${symbols.get(highest)}`);
	if (rule.count !== undefined) {
		const { role, key, more } = rule.count;
		const expected = Number(networks.get(role)?.metadata.get(key)) + more;
		if (symbols.size !== expected)
			throw no(`it has ${symbols.size} symbols, but \`${key}\` of \`${role}\` requires ${expected}`);
	}
	const scored = rule.count !== undefined ? undefined : scoredSymbols(networks);
	if (scored !== undefined && highest + 1 < scored)
		throw no(`it has ${highest + 1} symbols, but the model outputs ${scored}`);
	if (scored !== undefined && !isLeast(networks) && highest + 1 > 2 * scored + maxExtraSymbols)
		throw no(`it has ${highest + 1} symbols, but the model outputs ${scored}`);
}

/** Symbols that belong to no output, such as the disambiguation symbols of a decoding graph. */
const maxExtraSymbols = 1000;

/** The library keeps numbers in 32 bits, and a place for each up to the highest. */
const maxId = 2 * maxSymbols;

/** Parses the text as sherpa-onnx does, which ends the process on a line of more than two parts: number → symbol. */
function symbolsIn(text: string, no: (why: string) => EarshotError): ReadonlyMap<number, string> {
	const symbols = new Map<number, string>();
	for (const [number, line] of linesOf(text)) {
		const [first, second, more] = fieldsOf(line, 3);
		if (first === undefined) continue;
		// A number alone belongs to a blank.
		const [symbol, digits] = second === undefined ? ['', first] : [first, second];
		if (more !== undefined || !/^\d+$/.test(digits))
			throw no(`line ${number} should be a symbol and its number, but is \`${shown(line)}\``);
		const id = Number(digits);
		if (id > maxId) throw no(`line ${number} gives the number ${shown(digits)}, above ${maxId}`);
		if (symbols.has(id)) throw no(`line ${number} gives the number ${id} a second time`);
		if (symbols.size === maxSymbols) throw no(`it has more than ${maxSymbols} symbols`);
		symbols.set(id, symbol);
	}
	return symbols;
}

function firstMissing(symbols: ReadonlyMap<number, string>): number | undefined {
	for (let id = 0; id < symbols.size; id++) {
		if (!symbols.has(id)) return id;
	}
	return undefined;
}

/** Whether `scoredSymbols` is a minimum rather than an exact size: Whisper's text tokens. */
function isLeast(networks: Networks): boolean {
	const metadata = networks.get('encoder')?.metadata;
	return metadata?.has('eot') === true && metadata.has('sot_sequence');
}

/** Vocabulary size of the network that outputs symbols, if its file states it. */
function scoredSymbols(networks: Networks): number | undefined {
	const outputRoles = ['joiner', 'decoder', 'uncached_decoder', 'merged_decoder', 'model'];
	const network = outputRoles.map((role) => networks.get(role)).find((each) => each !== undefined);
	// Whisper's text tokens end where its special tokens begin; a vocabulary may omit the rarest, so half must be there.
	const firstSpecial = networks.get('encoder')?.metadata.get('eot');
	const declared = (networks.get('model') ?? networks.get('decoder'))?.metadata.get('vocab_size');
	if (isLeast(networks)) return Math.floor(Number(firstSpecial) / 2);
	if (declared !== undefined && /^\d+$/.test(declared)) return Number(declared);
	const width = network?.outputs[0]?.shape?.at(-1);
	return typeof width === 'number' ? width : undefined;
}
