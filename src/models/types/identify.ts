/** Identifies a model file or folder on this machine: its type, and the role of each file. */

import { stat } from 'node:fs/promises';
import path from 'node:path';
import { EarshotError } from '../../core/errors.js';
import { specificationOf } from '../../model-files/ctranslate2-file.js';
import { ctranslate2Model } from '../../model-files/ctranslate2-names.js';
import { NotOnnx } from '../../model-files/onnx-fields.js';
import { readOnnx } from '../../model-files/onnx-file.js';
import { type Family, streamingKeys } from './family.js';
import { firstBytes, isGgml, isLfsPointer, isSilero, isSpeechModel, namesIn, rolesOf } from './folder.js';
import { familyOf, isSherpaType, parakeetType, type SherpaType, sherpaTypes, whisperType } from './types.js';

export interface IdentifiedModel {
	/** A `type` of models.yaml, or the type of a model that cannot be served yet. */
	readonly type: string;
	/** The folder that holds the files. */
	readonly folder: string;
	/** Role → path below the folder. */
	readonly files: Readonly<Record<string, string>>;
	/** Set if the model must be converted before it can be served. */
	readonly form?: 'ctranslate2';
}

/** `target`: a file, or a folder of one model. `givenType`: the type given by the user; '' = identify it. Throws
 * `invalid_request`. */
export async function identify(target: string, givenType = ''): Promise<IdentifiedModel> {
	const found = await stat(target).catch(() => undefined);
	if (found === undefined) throw cannot(target, 'there is no such file or folder');
	if (found.isFile()) return await identifyFile(target, givenType);
	return await identifyFolder(target, givenType);
}

async function identifyFile(file: string, givenType: string): Promise<IdentifiedModel> {
	const [folder, name] = [path.dirname(file), path.basename(file)];
	const head = await firstBytes(file, 64);
	if (isLfsPointer(head)) throw cannot(file, lfsPointer);
	if (isGgml(head)) {
		if (head.length < 8) throw cannot(file, 'it is truncated');
		if (isSilero(head)) throw cannot(file, 'it detects speech (Silero) and does not transcribe');
		// The vocabulary size follows the magic number: Whisper has 51,864 tokens or more, Parakeet 8192.
		const type = head.readInt32LE(4) < 51_864 ? parakeetType : whisperType;
		return { type, folder, files: { model: name } };
	}
	if (head.subarray(0, 4).toString('latin1') === 'GGUF')
		throw cannot(file, 'it is a GGUF file, but whisper.cpp reads ggml files (ggml-….bin)');
	const specification = specificationOf(head);
	if (specification !== undefined) return identifyCtranslate2(file, specification);
	if (/\.(onnx|ort)$/.test(name)) return await identifyFolder(folder, givenType, name);
	if (head.length === 0) throw cannot(file, 'it is empty');
	throw cannot(
		file,
		'it is neither a ggml file of whisper.cpp, nor a Whisper model of CTranslate2, nor part of a sherpa-onnx model',
	);
}

function identifyCtranslate2(file: string, specification: string): IdentifiedModel {
	if (specification !== 'WhisperSpec')
		throw cannot(
			file,
			`it is a CTranslate2 model of another kind (${specification}); only Whisper can be served`,
		);
	const [folder, name] = [path.dirname(file), path.basename(file)];
	if (name !== ctranslate2Model)
		throw cannot(
			file,
			`it is a CTranslate2 model; rename it to ${ctranslate2Model}, in a folder with its vocabulary`,
		);
	return { type: whisperType, folder, files: { model: name }, form: 'ctranslate2' };
}

/** `chosen`: the name of a file in the folder that belongs to the model. */
async function identifyFolder(folder: string, givenType: string, chosen?: string): Promise<IdentifiedModel> {
	const names = await namesIn(folder);
	const networks = names.filter((name) => !name.endsWith('.bin'));
	const roles = rolesOf(networks, chosen);
	const bin = chosen === undefined ? await binIn(folder, names, roles) : undefined;
	if (bin !== undefined) return await identifyFile(path.join(folder, bin), givenType);
	const type = givenType !== '' ? givenType : await typeOf(folder, roles);
	return { type, folder, files: rolesFor(type, roles, folder) };
}

/** The file for whisper.cpp in a folder. If there is none, and no network either, another `.bin` file, so that the
 * error can say what it is. */
async function binIn(
	folder: string,
	names: readonly string[],
	roles: Readonly<Record<string, string>>,
): Promise<string | undefined> {
	const bins = names.filter((name) => name.endsWith('.bin')).sort((a, b) => a.length - b.length);
	for (const name of bins) if (await isSpeechModel(path.join(folder, name))) return name;
	return Object.keys(roles).length === 0 ? bins[0] : undefined;
}

/** The role of each file in an unpacked archive of a known type. Throws `invalid_request`. */
export async function rolesIn(folder: string, type: string): Promise<Readonly<Record<string, string>>> {
	return rolesFor(type, rolesOf(await namesIn(folder)), folder);
}

function rolesFor(
	type: string,
	roles: Readonly<Record<string, string>>,
	folder: string,
): Readonly<Record<string, string>> {
	const roleSets = isSherpaType(type) ? roleSetsOf(familyOf(type)) : [['model', 'tokens']];
	const complete = roleSets.find((required) => required.every((role) => roles[role] !== undefined));
	if (complete) return Object.fromEntries(complete.map((role) => [role, roles[role] ?? '']));
	const missing = (roleSets[0] ?? []).filter((role) => roles[role] === undefined);
	throw cannot(folder, `for type ${type} it lacks: ${missing.join(', ')}`);
}

function roleSetsOf({ files, fileSets }: Family): readonly (readonly string[])[] {
	return fileSets?.map(({ roles }) => roles) ?? [Object.keys(files)];
}

async function typeOf(folder: string, roles: Readonly<Record<string, string>>): Promise<string> {
	const has = (...names: string[]) => names.every((name) => roles[name] !== undefined);
	const byRoles = sherpaTypes.find((type) =>
		familyOf(type).identify.roles?.some((required) => has(...required)),
	);
	if (byRoles !== undefined) return byRoles;
	const withMetadata = roles.encoder ?? roles.model;
	if (withMetadata === undefined || (!has('tokens') && !has('encoder')))
		throw cannot(
			folder,
			'it contains no ggml file, no model.bin of CTranslate2, and no .onnx files with tokens.txt of a sherpa-onnx model',
		);
	const { metadata, fault } = await metadataOf(path.join(folder, withMetadata));
	const shape = shapeOf(Object.keys(roles));
	const type = typeByMetadata(metadata, shape) ?? typeByName(path.basename(folder), shape);
	if (type === 'streaming')
		throw cannot(folder, 'it is a streaming model of a type that Earshot cannot serve');
	if (type === undefined && fault) throw fault;
	if (type === undefined)
		throw cannot(folder, 'its type cannot be identified from its files; specify it with --type');
	return type;
}

/** `fault`: why there is no metadata, such as a truncated file; ONNX Runtime's own format never has any. */
async function metadataOf(
	file: string,
): Promise<{ readonly metadata: ReadonlyMap<string, string>; readonly fault?: EarshotError }> {
	const none = new Map<string, string>();
	if (file.endsWith('.ort')) return { metadata: none };
	if (isLfsPointer(await firstBytes(file, 64))) return { metadata: none, fault: cannot(file, lfsPointer) };
	try {
		return { metadata: (await readOnnx(file)).metadata };
	} catch (thrown) {
		if (!(thrown instanceof NotOnnx)) throw thrown;
		return { metadata: none, fault: cannot(file, `${thrown.message}; copy or download it again`) };
	}
}

/** How many networks a model consists of. */
type Shape = 'one' | 'two' | 'three';

function shapeOf(roles: readonly string[]): Shape {
	if (!roles.includes('encoder') || !roles.includes('decoder')) return 'one';
	return roles.includes('joiner') ? 'three' : 'two';
}

/** `streaming` = a streaming model of a type that cannot be served; undefined = unknown. Pure. */
export function typeByMetadata(metadata: ReadonlyMap<string, string>, shape: Shape): string | undefined {
	const kind = (metadata.get('model_type') ?? '').toLowerCase().replaceAll('-', '_');
	const has = (key: string) => metadata.has(key);
	const streams = streamingKeys.some(has) || has('left_context_len');
	const found = typesOfShape(shape).find((type) => {
		const { chunk, identify } = familyOf(type);
		return (chunk !== undefined) === streams && identify.metadata?.(kind, has) === true;
	});
	return found ?? (streams ? 'streaming' : undefined);
}

/** The type by the folder's name as its publisher gave it, for files without metadata. Pure. */
export function typeByName(name: string, shape: Shape): string | undefined {
	const text = name.toLowerCase().replaceAll('_', '-');
	if (/streaming/.test(text) && !/non-streaming/.test(text)) return 'streaming';
	return typesOfShape(shape).find((type) => familyOf(type).identify.name?.test(text) === true);
}

function typesOfShape(shape: Shape): readonly SherpaType[] {
	return sherpaTypes.filter((type) => shapeOf(Object.keys(familyOf(type).files)) === shape);
}

export const lfsPointer = 'it is a pointer of Git LFS and not the file itself; to fetch that: git lfs pull';

export function cannot(target: string, why: string): EarshotError {
	return new EarshotError('invalid_request', `${target} cannot be used as a model: ${why}`, {
		param: 'path',
	});
}
