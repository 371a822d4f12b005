/** The settings sent to a runner process along with its model entry. */

import { type NamesOf, namesOf } from '../core/config/scopes.js';
import type { Config } from '../core/config/settings.js';

/** All settings of scope `model`, and the model folder. */
export type RunnerSettings = Pick<Config, NamesOf<'model'> | 'modelDir'>;

export function runnerSettings(config: Config): RunnerSettings {
	const names = [...namesOf('model'), 'modelDir'] as const;
	return Object.fromEntries(names.map((name) => [name, config[name]])) as unknown as RunnerSettings;
}
