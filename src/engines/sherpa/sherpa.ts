/** Loads a sherpa-onnx model: validates its files, opens the recognizer and chooses the engine. */

import type { Model, SherpaClipOptions, SherpaInfo, StreamingModel } from '../../../binding.js';
import { addon, guarded } from '../../addon/addon.js';
import { EarshotError } from '../../core/errors.js';
import type { Family } from '../../models/types/family.js';
import { familyOf } from '../../models/types/types.js';
import type { Engine } from '../engine.js';
import { configOf, providerOf, type SherpaSettings, textOption } from './config.js';
import { SherpaEngine } from './recognizer.js';
import { StreamingSherpaEngine } from './streaming.js';
import {
	allowsBatches,
	type Checked,
	isDynamicallyQuantised,
	languagesOf,
	validateFiles,
} from './validate/validate.js';

/** Throws `model_load_failed`. */
export async function loadSherpa(settings: SherpaSettings): Promise<Engine> {
	const family = familyOf(settings.type);
	const checked = await validateFiles(settings);
	const provider = providerOf(settings);
	const tailSeconds = tailSecondsOf(family, checked);
	const common = {
		libraryDir: settings.libraryDir,
		// One more for the priority slot.
		slots: settings.slots + 1,
		config: configOf(family, settings),
	};
	const batch = batchOf(family, settings, checked);
	const model = await guarded<Model<SherpaClipOptions, SherpaInfo> | StreamingModel>(() =>
		tailSeconds !== undefined
			? addon().loadStreaming({ ...common, tailSeconds, batch })
			: addon().loadSherpa({
					...common,
					changesApart: family.changes?.apart ?? false,
					exclusive: family.exclusive ?? false,
					punctuation: textOption(settings, 'punctuation') ?? '',
				}),
	);
	if (model.info.fallback !== '') {
		await model.close();
		throw new EarshotError(
			'model_load_failed',
			`its option \`provider\` is \`${provider}\`, which this build of sherpa-onnx does not support (it supports ${model.info.providers.join(', ')}); ` +
				'leave it out, or give the folder of a build that supports it with --sherpa-dir',
		);
	}
	const declared = languagesOf(checked, settings.type);
	const traits = { languages: settings.languages ?? declared, batch };
	const adapted = family.languageInput !== undefined && declared === null ? withoutLanguage(family) : family;
	if ('stream' in model) return new StreamingSherpaEngine(model, adapted, settings, traits);
	return new SherpaEngine(model, adapted, settings, traits);
}

/** Clips or live streams per batch unless the model's option `batch` sets it. */
const defaultBatch = 8;
/** The addon's limit. */
const maxBatch = 1024;

/** How many clips or live streams are decoded at once. */
function batchOf(family: Family, { options, files }: SherpaSettings, checked: Checked): number {
	// Of other families, streaming Paraformer too, the library decodes the clips of a batch one after another.
	if (family.batches !== true || !allowsBatches(checked)) return 1;
	if (typeof options.batch === 'number') return Math.min(Math.max(1, options.batch), maxBatch);
	return isDynamicallyQuantised(checked, files) ? 1 : defaultBatch;
}

/** The family without its language input, for files that have none. */
function withoutLanguage({ languageOption: _, detectsLanguage: __, ...family }: Family): Family {
	return family;
}

/** Seconds of silence after a clip, so a streaming model decodes its end: two chunks of 10 ms frames. undefined = offline. */
function tailSecondsOf({ chunk }: Family, { networks }: Checked): number | undefined {
	if (chunk === undefined) return undefined;
	const frames =
		typeof chunk === 'number' ? chunk : Number(networks.get(chunk.role)?.metadata.get(chunk.key));
	return (2 * frames) / 100;
}
