/** Steps that servers and workers share at their start and shutdown. */

import { numericsOf } from '../../../cluster/core/numerics.js';
import { systemClock } from '../../../core/clock.js';
import { runnerEnvironment } from '../../../core/config/environment.js';
import { slotsOf } from '../../../core/config/resolve.js';
import type { Config } from '../../../core/config/settings.js';
import { EarshotError } from '../../../core/errors.js';
import type { Log } from '../../../core/log.js';
import type { Metrics } from '../../../core/metrics.js';
import { runnerScript } from '../../../core/paths.js';
import { stopSignals } from '../../../core/signals.js';
import { expectedBytes } from '../../../models/memory.js';
import { createdAt, isInstalled } from '../../../models/registry/registry.js';
import type { RegistryWatcher } from '../../../models/registry/watch.js';
import { RunnerPool } from '../../../pool/pool.js';
import { runnerSettings } from '../../../runner/settings.js';

/** Throws `config_invalid` for settings that need others. Without any of them it does nothing. */
export function wantsGateway({
	queue,
	blobs,
	noWorker,
}: Pick<Config, 'queue' | 'blobs' | 'noWorker'>): boolean {
	if (queue !== '') return true;
	const idle = noWorker ? 'no_worker' : blobs !== '' ? 'blobs' : undefined;
	if (idle === undefined) return false;
	throw new EarshotError('config_invalid', `\`${idle}\` needs \`queue\` to be set: EARSHOT_QUEUE`, {
		param: idle,
	});
}

/** The pool of this machine's models. */
export function localPool(
	config: Config,
	{
		models,
		log,
		metrics,
	}: { readonly models: RegistryWatcher; readonly log: Log; readonly metrics: Metrics },
): RunnerPool {
	return new RunnerPool({
		settings: runnerSettings(config),
		script: runnerScript,
		env: runnerEnvironment(slotsOf(config)),
		keepAliveMs: config.keepAliveMs,
		budgetBytes: config.memoryBudgetMb * 2 ** 20,
		maxRunnerBytes: config.maxRunnerMemoryMb * 2 ** 20,
		hangTimeoutMs: config.hangTimeoutSeconds * 1000,
		models,
		onLog: (line, level) => log[level ?? 'debug']({}, line),
		log,
		clock: systemClock,
		metrics,
		createdAt,
	});
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

/** Settings of models that do not affect the text. */
const ignored: readonly string[] = [
	'numThreads',
	'parallel',
	'maxAudioSeconds',
	'sherpaDir',
	'weightsDir',
	'modelDir',
];

/** This machine's value for `numerics` of `Unit`. */
export function numericsOfMachine(config: Config, version: string): string {
	const settings = Object.entries(runnerSettings(config)).filter(([name]) => !ignored.includes(name));
	return numericsOf(
		version,
		settings.map(([name, value]) => `${name}=${String(value)}`),
	);
}

/** Estimated memory of a model of the registry, bytes. */
export const estimatedBytes =
	(registry: RegistryWatcher) =>
	(id: string): number => {
		const entry = registry.entries.find((each) => each.id === id);
		return entry ? expectedBytes(entry) : 0;
	};
