// Every generated part by its name: a function that returns Markdown, or a promise of it.
import { catalog, models } from './catalog.mjs';
import { commands } from './commands.mjs';
import { nativeFiles, sourceFiles } from './files.mjs';
import { fields, routes, schemas } from './http.mjs';
import { modelOptions, modelTypes } from './model-types.mjs';
import { nativeFolders } from './native.mjs';
import { rooms } from './rooms.mjs';
import { errors, metrics, perModelSettings, settingsTable } from './tables.mjs';

export const parts = {
	catalog,
	commands,
	errors,
	fields,
	metrics,
	'model-options': modelOptions,
	'model-types': modelTypes,
	models,
	'native-files': nativeFiles,
	'native-folders': nativeFolders,
	'per-model-settings': perModelSettings,
	rooms,
	routes,
	schemas,
	settings: settingsTable,
	'source-files': sourceFiles,
};
