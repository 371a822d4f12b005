/** Runs `earshot doctor` in a process of its own, since it loads the addon, which a server never does. */

import { execFile } from 'node:child_process';
import path from 'node:path';
import { doctorEnvironment } from '../../core/config/environment.js';
import { namesOf } from '../../core/config/scopes.js';
import { type SettingName, type SettingTexts, settings } from '../../core/config/settings.js';
import { EarshotError } from '../../core/errors.js';
import { packageRoot } from '../../core/paths.js';
import type { DoctorReport } from '../../server/routes/doctor.js';

/** A GPU's driver may hang. */
const timeoutMs = 60_000;

/** Passes on the settings that the server was started with, as far as the command accepts them. Throws `internal`. */
export function examine(flags: SettingTexts): Promise<DoctorReport> {
	const names: readonly SettingName[] = [...namesOf('store', 'fetch', 'model'), 'blobs'];
	const args = names.flatMap((name) => argumentsOf(name, flags[name]));
	// As an environment variable, since all users of the machine can read arguments.
	const env = { ...doctorEnvironment(), ...(flags.queue !== undefined && { EARSHOT_QUEUE: flags.queue }) };
	const script = path.join(packageRoot, 'dist', 'cli', 'main.js');
	return new Promise((resolve, reject) => {
		execFile(
			process.execPath,
			[script, 'doctor', '--json', ...args],
			{ env, timeout: timeoutMs, windowsHide: true },
			(error, stdout) => {
				try {
					// Its exit code is 1 if something is missing.
					resolve(JSON.parse(stdout) as DoctorReport);
				} catch (cause) {
					reject(
						new EarshotError('internal', '`earshot doctor` printed no report', { cause: error ?? cause }),
					);
				}
			},
		);
	});
}

function argumentsOf(name: SettingName, value: string | undefined): string[] {
	if (value === undefined) return [];
	return 'isSwitch' in settings[name] ? [`--${settings[name].flag}`] : [`--${settings[name].flag}`, value];
}
