/** Selects the settings that a command, a runner or one model uses. */

import type { Scope } from './setting.js';
import { type SettingName, settingNames, settings } from './settings.js';

/** Names of the settings in the given scopes. */
export type NamesOf<S extends Scope> = {
	[K in SettingName]: (typeof settings)[K]['scope'] extends S ? K : never;
}[SettingName];

/** In the order of the settings table. */
export function namesOf<S extends Scope>(...scopes: readonly S[]): readonly NamesOf<S>[] {
	return settingNames.filter((name): name is NamesOf<S> =>
		(scopes as readonly Scope[]).includes(settings[name].scope),
	);
}

/** Settings that an entry of models.yaml may override in its `options`. */
export type ModelOptionName = {
	[K in SettingName]: (typeof settings)[K] extends { readonly perModel: true } ? K : never;
}[SettingName];

export const modelOptionNames: readonly ModelOptionName[] = settingNames.filter(
	(name): name is ModelOptionName => 'perModel' in settings[name],
);

/** Settings that a request may override for itself. */
export type RequestSettingName = {
	[K in SettingName]: (typeof settings)[K] extends { readonly perRequest: true } ? K : never;
}[SettingName];

export const requestSettingNames: readonly RequestSettingName[] = settingNames.filter(
	(name): name is RequestSettingName => 'perRequest' in settings[name],
);
