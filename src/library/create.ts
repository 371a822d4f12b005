/** Earshot as a library: a model in this process, or in its own runner process. */

import { type SettingName, type SettingTexts, settingNames } from '../core/config/settings.js';
import { packageRoot } from '../core/paths.js';
import { loadRegistry } from '../models/registry/registry.js';
import { openDiarizer, openModel } from './open-model.js';
import { type CreateOptions, checkedCreateOptions } from './options.js';
import { type EarshotTranscriber, transcriberOver } from './transcriber.js';

/**
 * Loads a model, which stays in memory until `close`. Loading takes from a tenth of a second to many seconds, and at
 * least the size of the model's files in memory. Downloads nothing: use `earshot pull`. Throws EarshotError:
 * `model_not_found`, `model_load_failed`, `engine_missing` (the engine's library is not installed), `config_invalid`,
 * `invalid_request` for an option that does not exist.
 */
export async function createTranscriber(options: CreateOptions = {}): Promise<EarshotTranscriber> {
	const given = checkedCreateOptions(options);
	const registry = loadRegistry(flagsOf(given), packageRoot);
	return transcriberOver(
		await openModel(registry, given.model ?? registry.defaultModel, given.isolated ?? false),
		// The models may have been pulled since.
		() => openDiarizer(loadRegistry(flagsOf(given), packageRoot), given.isolated ?? false),
	);
}

function flagsOf(options: CreateOptions): SettingTexts {
	const given: Partial<Record<SettingName, string | number | undefined>> = {
		config: options.config,
		modelDir: options.modelDir,
		numThreads: options.numThreads,
	};
	const flags: SettingTexts = {};
	for (const name of settingNames) {
		const value = given[name];
		if (value !== undefined) flags[name] = String(value);
	}
	return flags;
}
