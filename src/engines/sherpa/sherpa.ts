/** Loads a sherpa-onnx model: validates its files, opens the recognizer, and picks the engine for it. */

import type { Model, SherpaClipOptions, SherpaInfo, StreamingModel } from '../../../binding.js';
import { addon, guarded } from '../../addon/addon.js';
import { EarshotError } from '../../errors.js';
import type { Family } from '../../models/types/family.js';
import { familyOf } from '../../models/types/types.js';
import type { Engine } from '../engine.js';
import { configOf, providerOf, type SherpaSettings, textOption } from './config.js';
import { SherpaEngine } from './recognizer.js';
import { StreamingSherpaEngine } from './streaming.js';
import { type Checked, isDynamicallyQuantised, languagesOf, preflight } from './validate/validate.js';

/** Throws `model_load_failed`. */
export async function loadSherpa(settings: SherpaSettings): Promise<Engine> {
	const family = familyOf(settings.type);
	const checked = await preflight(settings);
	const provider = providerOf(settings);
	const tailSeconds = tailSecondsOf(family, checked);
	const common = {
		libraryDir: settings.libraryDir,
		// The priority slot's too.
		slots: settings.slots + 1,
		config: configOf(family, settings),
	};
	const model = await guarded<Model<SherpaClipOptions, SherpaInfo> | StreamingModel>(() =>
		tailSeconds !== undefined
			? addon().loadStreaming({ ...common, tailSeconds })
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
			`its option \`provider\` is \`${provider}\`, which this sherpa-onnx does not have (it has ${model.info.providers.join(', ')}); ` +
				'leave it out, or give the folder of a build that has it with --sherpa-dir',
		);
	}
	const told = languagesOf(checked, settings.type);
	const known = {
		languages: settings.languages ?? told,
		quantised: isDynamicallyQuantised(checked, settings.files),
	};
	const fitted = family.languageInput !== undefined && told === null ? withoutLanguage(family) : family;
	if ('stream' in model) return new StreamingSherpaEngine(model, fitted, settings, known);
	return new SherpaEngine(model, fitted, settings, known);
}

/** A family of which some files take a language, for one that takes none. */
function withoutLanguage({ languageOption: _, detectsLanguage: __, ...family }: Family): Family {
	return family;
}

/** Silence that lets a streaming model hear the end of a clip: what is behind it, and the chunk that it is in. */
function tailSecondsOf({ chunk }: Family, { networks }: Checked): number | undefined {
	if (chunk === undefined) return undefined;
	const frames =
		typeof chunk === 'number' ? chunk : Number(networks.get(chunk.role)?.metadata.get(chunk.key));
	return (2 * frames) / 100;
}
