/** What servers and workers do at their start and their end. */

import { runnerEnvironment } from '../../../config/environment.js';
import { slotsOf } from '../../../config/resolve.js';
import type { Config } from '../../../config/settings.js';
import { EarshotError } from '../../../errors.js';
import { expectedBytes } from '../../../models/memory.js';
import { isInstalled } from '../../../models/registry/registry.js';
import type { RegistryWatcher } from '../../../models/registry/watch.js';
import { runnerScript } from '../../../paths.js';
import { runnerSettings } from '../../../runner/settings.js';
import { stopSignals } from '../../../signals.js';

/** What the settings say of the processes of models. */
export function runnersOf(config: Config) {
	return {
		settings: runnerSettings(config),
		script: runnerScript,
		env: runnerEnvironment(slotsOf(config)),
		keepAliveMs: config.keepAliveMs,
		budgetBytes: config.memoryBudgetMb * 2 ** 20,
		maxRunnerBytes: config.maxRunnerMemoryMb * 2 ** 20,
		hangTimeoutMs: config.hangTimeoutSeconds * 1000,
	};
}

/** Throws `config_invalid` for a model that is not served, so that the server does not start with a mistake. */
export function modelsToPreload(
	{ preload: ids, autoPull }: Config,
	{ now: { names, entries, defaultModel } }: RegistryWatcher,
): readonly string[] {
	if (ids.length > 0) {
		const unknown = ids.find((id) => id !== 'none' && names.find(id) === undefined);
		if (unknown === undefined) return ids.filter((id) => id !== 'none');
		const known = entries.map(({ id }) => id).join(', ');
		throw new EarshotError(
			'config_invalid',
			`Expected \`preload\` to name models among ${known}, got \`${unknown}\``,
			{
				param: 'preload',
			},
		);
	}
	const entry = entries.find(({ id }) => id === defaultModel);
	// With auto-pull, a model that is not installed is downloaded on its first request, not at startup.
	return entry === undefined || isInstalled(entry) || !autoPull ? [defaultModel] : [];
}

export function nextSignal(): Promise<NodeJS.Signals> {
	return new Promise((resolve) => {
		const signals = stopSignals();
		const handlers = signals.map((signal) => {
			const handler = () => {
				for (const [index, each] of signals.entries())
					process.removeListener(each, handlers[index] ?? handler);
				resolve(signal);
			};
			process.on(signal, handler);
			return handler;
		});
	});
}

/** Memory that a model of the registry would take, bytes. */
export const estimatedBytes =
	(registry: RegistryWatcher) =>
	(id: string): number => {
		const entry = registry.entries.find((each) => each.id === id);
		return entry ? expectedBytes(entry) : 0;
	};
