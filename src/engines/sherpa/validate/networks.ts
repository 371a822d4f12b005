/** Validates one ONNX network of a model: its metadata, inputs and outputs. */

import { stat } from 'node:fs/promises';
import path from 'node:path';
import { NotOnnx } from '../../../model-files/onnx-fields.js';
import { type OnnxFile, type OnnxValue, readOnnx } from '../../../model-files/onnx-file.js';
import { type NetworkRule, streamingKeys } from '../../../models/types/family.js';
import { familyOf, type SherpaType, sherpaTypes } from '../../../models/types/types.js';
import { fetchAgain, readHead, refuse, shown, unreadable } from './files.js';

/** undefined: the file is in ONNX Runtime's own format, whose contents are not validated. Throws `model_load_failed`. */
export async function readNetwork(role: string, file: string): Promise<OnnxFile | undefined> {
	try {
		const { size } = await stat(file);
		if (size > 8 && (await isOrt(file))) return undefined;
		const found = await readOnnx(file);
		for (const [name, bytes] of found.externalData) {
			const beside = await stat(path.join(path.dirname(file), name)).catch(() => undefined);
			if (beside?.isFile() !== true)
				throw new NotOnnx(`its weights are in ${name}, which is not in the same folder`);
			if (beside.size < bytes)
				throw new NotOnnx(`its weights are in ${name}, which has ${beside.size} bytes instead of ${bytes}`);
		}
		return found;
	} catch (thrown) {
		if (thrown instanceof NotOnnx) throw refuse(role, file, thrown.message, fetchAgain);
		throw unreadable(role, file, thrown);
	}
}

/** Whether the file is in ONNX Runtime's own format: a FlatBuffer that begins with an offset and `ORTM`. */
async function isOrt(file: string): Promise<boolean> {
	if (!file.endsWith('.ort')) return false;
	const head = await readHead(file, 8);
	if (head.subarray(4, 8).toString('latin1') === 'ORTM') return true;
	throw new NotOnnx('it is not a model of ONNX Runtime');
}

/** What is wrong with a network. `advice` absent: export it again, or check the entry. */
interface Fault {
	readonly why: string;
	readonly advice?: string;
}

/** Throws `model_load_failed` naming the first violation of the rule. */
export function checkNetwork(
	role: string,
	file: string,
	rule: NetworkRule,
	found: OnnxFile,
	type: SherpaType,
): void {
	const fault =
		typeFault(rule, found, type) ?? metadataFault(rule, found) ?? valuesFault(role, rule, found, type);
	if (fault === undefined) return;
	const { why, advice = `export it again with that, or check \`type\` and \`files\` (type is \`${type}\`)` } =
		fault;
	throw refuse(role, file, why, advice);
}

function typeFault(rule: NetworkRule, { metadata }: OnnxFile, type: SherpaType): Fault | undefined {
	if (familyOf(type).chunk === undefined && streamingKeys.some((key) => metadata.has(key))) {
		return {
			why: 'it is a streaming model',
			advice: 'use a `type` that begins with `streaming_`',
		};
	}
	const given = metadata.get('model_type');
	const fitting =
		given === undefined
			? []
			: sherpaTypes.filter((each) => familyOf(each).identify.exportedAs?.test(given) === true);
	if (fitting.length > 0 && !fitting.includes(type)) {
		return {
			why: `its metadata says \`model_type\` = \`${given}\`, so its type must be \`${fitting[0]}\`, not \`${type}\``,
			advice: `write \`type: ${fitting[0]}\``,
		};
	}
	if (rule.modelType === undefined || rule.modelType.test(given ?? '')) return undefined;
	return {
		why: `its metadata has ${given === undefined ? 'no `model_type`' : `\`model_type\` = \`${given}\``}`,
	};
}

function metadataFault(rule: NetworkRule, { metadata }: OnnxFile): Fault | undefined {
	const { integers = [], lists = [], texts = [], fewerKeys, unevenLists = false } = rule;
	const isFewer = fewerKeys !== undefined && (metadata.get('comment') ?? '').includes(fewerKeys.comment);
	const isNeeded = (key: string) => !isFewer || fewerKeys.keys.test(key);
	for (const key of integers.filter(isNeeded)) {
		const value = metadata.get(key);
		if (value === undefined) return { why: `its metadata has no \`${key}\`` };
		if (!/^-?\d+$/.test(value.trim()))
			return { why: `its \`${key}\` should be a whole number and is \`${shown(value)}\`` };
		if (sizes.test(key) && Number(value) <= 0) return { why: `its \`${key}\` is ${value}` };
	}
	for (const key of lists.filter(isNeeded)) {
		const value = metadata.get(key);
		if (value === undefined) return { why: `its metadata has no \`${key}\`` };
		if (value === '' || value.split(',').some((part) => part.trim() === '' || !Number.isFinite(Number(part))))
			return { why: `its \`${key}\` should be numbers with commas between them` };
	}
	const [first, second] = lists.map((key) => metadata.get(key)?.split(',').length);
	if (!unevenLists && first !== undefined && second !== undefined && first !== second)
		return { why: `its ${lists.map((key) => `\`${key}\``).join(' and ')} are of different lengths` };
	const absent = texts.find((key) => (metadata.get(key) ?? '') === '');
	return absent === undefined ? undefined : { why: `its metadata has no \`${absent}\`` };
}

function valuesFault(
	role: string,
	rule: NetworkRule,
	{ inputs, outputs }: OnnxFile,
	type: SherpaType,
): Fault | undefined {
	const advice = 'the files may be swapped or belong to another model: check `files` and `type`';
	if (!fits(inputs, rule.inputs)) {
		return {
			why: `it takes ${listOf(inputs)} where \`${role}\` of \`${type}\` takes ${rule.inputs.map(spelled).join(', ')}`,
			advice,
		};
	}
	const expected = rule.outputs ?? 1;
	if (outputs.length >= expected) return undefined;
	return {
		why: `it gives ${outputs.length} outputs where \`${role}\` of \`${type}\` gives ${expected}`,
		advice,
	};
}

/** Metadata keys that hold a size or a count. */
const sizes = /size|shift|factor|dim|layers?$|blocks$|head$|hidden|max_len|max_total_len|chunk|^T$|^n_/;

function fits(inputs: readonly OnnxValue[], expected: readonly string[]): boolean {
	if (inputs.length < expected.length) return false;
	return expected.every((want, index) => {
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
const kindNames: Readonly<Record<string, string>> = { f: 'float', i: 'int', b: 'bool', '*': 'any' };

function listOf(values: readonly OnnxValue[]): string {
	const each = values.map(
		({ name, elementType, shape }) =>
			`${name} (${typeNames[elementType] ?? 'other'}, ${shape?.length ?? '?'} dimensions)`,
	);
	return each.length === 0 ? 'nothing' : each.join(', ');
}

function spelled(want: string): string {
	return `${kindNames[want[0] ?? ''] ?? ''} of ${want[1] === '*' ? 'any number of' : want[1]} dimensions`;
}
