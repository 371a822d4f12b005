/** What the process of a model is told beside its entry. */

import { type NamesOf, namesOf } from '../config/scopes.js';
import type { Config } from '../config/settings.js';

/** Every setting of the scope `model`, and the folder of the store. */
export type RunnerSettings = Pick<Config, NamesOf<'model'> | 'modelDir'>;

export function runnerSettings(config: Config): RunnerSettings {
	const names = [...namesOf('model'), 'modelDir'] as const;
	return Object.fromEntries(names.map((name) => [name, config[name]])) as unknown as RunnerSettings;
}
