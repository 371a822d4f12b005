/** Resolves each setting: flags take precedence over the environment, then models.yaml, then defaults. */

import { EarshotError } from '../errors.js';
import { type ModelOptionName, modelOptionNames } from './scopes.js';
import type { Value } from './setting.js';
import {
	type Config,
	fileKeyOf,
	type SettingName,
	type SettingTexts,
	settingNames,
	settings,
	variableOf,
} from './settings.js';
import { Expectation } from './values.js';

export interface SettingSource {
	/** Value by setting, as text. */
	readonly values: SettingTexts;
	/** For error messages: the setting's name in this source, e.g. `--num-threads`. */
	readonly nameOf: (name: SettingName) => string;
}

/** The first source that has a value wins. Throws `config_invalid`, naming the setting as its source does. Pure. */
export function resolveConfig(sources: readonly SettingSource[]): Config {
	const resolved = Object.fromEntries(settingNames.map((name) => [name, resolve(name, sources)]));
	return Object.freeze(resolved) as unknown as Config;
}

function resolve(name: SettingName, sources: readonly SettingSource[]): Value {
	for (const { values, nameOf } of sources) {
		const text = values[name];
		if (text === undefined) continue;
		try {
			return settings[name].parse(text);
		} catch (thrown) {
			if (!(thrown instanceof Expectation)) throw thrown;
			const got = 'isSecret' in settings[name] ? `a text of ${text.length} letters` : `\`${text}\``;
			throw new EarshotError(
				'config_invalid',
				`Expected \`${nameOf(name)}\` to be ${thrown.message}, got ${got}`,
				{
					param: nameOf(name),
				},
			);
		}
	}
	return settings[name].default;
}

/** Settings from EARSHOT_* variables. An empty variable counts as unset, except for settings that refuse it. */
export function environmentSource(env: NodeJS.ProcessEnv = process.env): SettingSource {
	const values: SettingTexts = {};
	for (const name of settingNames) {
		const text = env[variableOf(name)];
		if (text !== undefined && (text !== '' || 'refusesEmpty' in settings[name])) values[name] = text;
	}
	return { values, nameOf: variableOf };
}

export function flagSource(values: SettingTexts): SettingSource {
	return { values, nameOf: (name) => `--${settings[name].flag}` };
}

/** Clips transcribed at once: `parallel`, or one per thread where that is 0. */
export function slotsOf({ parallel, numThreads }: Pick<Config, 'parallel' | 'numThreads'>): number {
	return parallel === 0 ? numThreads : parallel;
}

/** Settings that may differ by model: the model's entry wins over the global setting. */
export type ModelOptions = Pick<Config, ModelOptionName>;

/** `entry`: the options of a models.yaml entry, validated when that was read. Throws Expectation. Pure. */
export function modelOptions(
	entry: Readonly<Record<string, string | number | boolean>>,
	config: ModelOptions,
): ModelOptions {
	const resolved = modelOptionNames.map((name) => {
		const own = entry[fileKeyOf(name)];
		return [name, own === undefined ? config[name] : settings[name].parse(String(own))];
	});
	return Object.fromEntries(resolved) as ModelOptions;
}
