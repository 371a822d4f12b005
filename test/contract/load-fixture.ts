/** Models of the fixtures, loaded by sherpa-onnx. */

import { findSherpaLibrary } from '../../src/addon/libraries.js';
import type { Engine } from '../../src/engines/engine.js';
import { loadSherpa } from '../../src/engines/sherpa/sherpa.js';
import { isSherpaType } from '../../src/models/types/types.js';
import { filesOf, type ModelFixture } from '../helpers/fixtures.js';

/** `more`: options over the fixture's own. */
export async function loadFixture(
	{ name, type, files, options }: Pick<ModelFixture, 'name' | 'type' | 'files' | 'options'>,
	more: ModelFixture['options'] = {},
	slots = 8,
): Promise<Engine> {
	if (!isSherpaType(type)) throw new Error(`${type} is not of sherpa-onnx`);
	return await loadSherpa({
		id: name,
		type,
		files: filesOf({ files }),
		options: { ...options, ...more },
		languages: null,
		libraryDir: findSherpaLibrary(undefined),
		slots,
	});
}

/** For `await using`. */
export function disposable<E extends Engine>(engine: E): E & AsyncDisposable {
	return Object.assign(engine, { [Symbol.asyncDispose]: () => engine.close() });
}
