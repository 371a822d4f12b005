/** Validates the folder of a tokenizer. */

import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { isRecord } from '../../../core/is-record.js';
import { fetchAgain, fieldsOf, linesOf, maxSymbols, readText, refuse, shown, unreadable } from './files.js';

/** `names`: files that the folder must contain; those ending in `.json` must be JSON. Throws `model_load_failed`. */
export async function checkTokenizer(folder: string, names: readonly string[]): Promise<void> {
	const there = await readdir(folder).catch((thrown: unknown) => {
		throw unreadable('tokenizer', folder, thrown);
	});
	for (const name of names) {
		const file = path.join(folder, name);
		if (!there.includes(name)) {
			throw refuse('tokenizer', folder, `it has no ${name}`, `it must contain ${names.join(', ')}`);
		}
		const text = await readText('tokenizer', file);
		const why = name.endsWith('.json') ? jsonFault(name, text) : mergesFault(text);
		if (why !== undefined) throw refuse('tokenizer', file, why, fetchAgain);
	}
}

function mergesFault(text: string): string | undefined {
	const hasHead = text.startsWith('#version');
	let merges = 0;
	for (const [number, line] of linesOf(text)) {
		if (number === 1 && hasHead) continue;
		const fields = fieldsOf(line, 3).length;
		if (fields === 0) continue;
		if (fields !== 2) return `line ${number} should be two symbols, but is \`${shown(line)}\``;
		if (++merges > maxSymbols) return `it has more than ${maxSymbols} merges`;
	}
	return merges === 0 && !hasHead ? 'it contains no merges' : undefined;
}

function jsonFault(name: string, text: string): string | undefined {
	const shape = shapeFault(text);
	if (shape !== undefined) return shape;
	let value: unknown;
	try {
		value = JSON.parse(text);
	} catch {
		return 'it is not JSON';
	}
	if (!isRecord(value)) return 'it is not a JSON object';
	const ids = idsIn(name, value);
	const bad = ids.find(
		([, id]) => typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id > maxSymbols,
	);
	if (bad === undefined) return undefined;
	return `its symbol \`${shown(bad[0])}\` should have a number up to ${maxSymbols}, but has \`${shown(String(bad[1]))}\``;
}

/** Symbols and their numbers, for which the library allocates memory. */
function idsIn(
	name: string,
	value: Readonly<Record<string, unknown>>,
): readonly (readonly [string, unknown])[] {
	if (name === 'vocab.json') return Object.entries(value);
	if (name === 'tokenizer_config.json') {
		const { added_tokens_decoder: added } = value;
		return isRecord(added) ? Object.keys(added).map((id) => [id, /^\d+$/.test(id) ? Number(id) : id]) : [];
	}
	const { added_tokens: added } = value;
	return Array.isArray(added)
		? added.map((each: unknown) => (isRecord(each) ? [String(each.content), each.id] : ['', each]))
		: [];
}

const maxDepth = 32;
const maxValues = 5_000_000;

/** What makes JSON expensive to parse: depth, and many values. Linear, and without memory of its own. */
function shapeFault(text: string): string | undefined {
	let [depth, values, isString] = [0, 0, false];
	for (let at = 0; at < text.length; at++) {
		const code = text.charCodeAt(at);
		if (isString) {
			if (code === backslash) at++;
			else if (code === quote) isString = false;
		} else if (code === quote) {
			isString = true;
		} else if (code === comma) {
			if (++values > maxValues) return `it has more than ${maxValues} values`;
		} else if (code === brace || code === bracket) {
			if (++depth > maxDepth) return `it is nested more than ${maxDepth} deep`;
		} else if (code === closingBrace || code === closingBracket) {
			depth--;
		}
	}
	return undefined;
}

const [quote, backslash, comma, brace, bracket, closingBrace, closingBracket] = [
	'"',
	'\\',
	',',
	'{',
	'[',
	'}',
	']',
].map((character) => character.charCodeAt(0)) as [number, number, number, number, number, number, number];
