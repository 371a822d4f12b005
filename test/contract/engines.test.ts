import { findSherpaLibrary } from '../../src/addon/libraries.js';
import { loadParakeet, loadWhisper } from '../../src/engines/whisper/whisper.js';
import { capabilitiesOf } from '../../src/models/capabilities.js';
import type { ModelEntry } from '../../src/models/registry/entry.js';
import { isSherpaType } from '../../src/models/types/types.js';
import { filesOf, type ModelFixture, manifest } from '../helpers/fixtures.js';
import { defaultModelOptions, noInt8 } from '../helpers/options.js';
import { engineContract } from './engine.contract.js';
import { loadFixture } from './load-fixture.js';

function load(model: ModelFixture) {
	if (isSherpaType(model.type)) return loadFixture(model, {}, 2);
	const ggml = {
		id: model.name,
		path: filesOf(model).model ?? '',
		slots: 2,
		maxThreads: 2,
		useGpu: false,
		gpuDevice: 0,
	};
	if (model.type === 'parakeet_cpp') return loadParakeet(ggml);
	return loadWhisper({
		...ggml,
		...defaultModelOptions,
		suppress: [],
		alignmentHeads: [],
		int8Weights: noInt8,
		libraryDir: findSherpaLibrary(undefined),
	});
}

/** An entry as models.yaml would have it. */
function entryOf(model: ModelFixture): ModelEntry {
	const { name: id, type, options } = model;
	const about = { id, aliases: [], languages: null, ownedBy: '', demo: false };
	return { ...about, type, options, files: filesOf(model) } as unknown as ModelEntry;
}

// The slow one is a CTC model like another; it is for tests that need something in flight.
for (const model of manifest.models.filter(({ name }) => name !== 'slow')) {
	engineContract({
		name: model.name,
		load: () => load(model),
		expectedTexts: model.expectedTexts,
		times: model.timestamps,
		timeTolerance: model.engine === 'whisper' ? 0.1 : 0.2,
		declared: () => capabilitiesOf(entryOf(model)),
	});
}
