/** Checks the files of a model before it is added, so that an unusable model is refused at once. */

import { stat } from 'node:fs/promises';
import path from 'node:path';
import { EarshotError } from '../core/errors.js';
import { checkGgml, NotGgml } from '../model-files/ggml-file.js';
import { firstBytes, isLfsPointer } from './types/folder.js';
import { cannot, type IdentifiedModel, lfsPointer } from './types/identify.js';
import { isGgmlType, isSherpaType, whisperType } from './types/types.js';

/** Checks the files of a model for sherpa-onnx: role → absolute path. Throws `model_load_failed`. */
export type CheckSherpa = (type: string, files: Readonly<Record<string, string>>) => Promise<void>;

/** Throws `invalid_request` for files that are cut off, empty or without weights. `checkSherpa`: see above. */
export async function checkContents(
	{ type, folder, files, form }: IdentifiedModel,
	checkSherpa?: CheckSherpa,
): Promise<void> {
	// The conversion reads and checks the whole model.
	if (form !== undefined) return;
	const places = Object.fromEntries(
		Object.entries(files).map(([role, name]) => [role, path.join(folder, name)]),
	);
	for (const file of Object.values(places)) {
		const info = await stat(file);
		if (!info.isFile()) continue;
		if (info.size === 0) throw cannot(file, 'it is empty');
		if (isLfsPointer(await firstBytes(file, 64))) throw cannot(file, lfsPointer);
	}
	try {
		if (isGgmlType(type)) checkGgml(places.model ?? '', type === whisperType ? 'whisper' : 'parakeet');
		else if (isSherpaType(type)) await checkSherpa?.(type, places);
	} catch (thrown) {
		if (thrown instanceof NotGgml)
			throw cannot(places.model ?? '', `${thrown.message}; copy or download it again`);
		if (!(thrown instanceof EarshotError) || thrown.code !== 'model_load_failed') throw thrown;
		throw cannot(folder === '' ? type : folder, thrown.message);
	}
}
