/** `earshot serve`: starts the pool and the server, and shuts both down gracefully. */

import { systemClock } from '../../clock.js';
import { isLoopback, socketPathOf } from '../../config/addresses.js';
import { runnerEnvironment } from '../../config/environment.js';
import { voicesFolder } from '../../config/folders.js';
import { slotsOf } from '../../config/resolve.js';
import type { Config, SettingName } from '../../config/settings.js';
import { EarshotError } from '../../errors.js';
import { createLog, type Log } from '../../log.js';
import { Metrics } from '../../metrics.js';
import { Installer } from '../../models/installer.js';
import { demoNotice } from '../../models/registry/demo.js';
import type { ModelEntry } from '../../models/registry/entry.js';
import { ensureRegistry } from '../../models/registry/file.js';
import { createdAt, isInstalled, loadRegistry } from '../../models/registry/registry.js';
import { RegistryWatcher } from '../../models/registry/watch.js';
import { packageRoot, runnerScript } from '../../paths.js';
import { RunnerPool } from '../../pool/pool.js';
import { runnerSettings } from '../../runner/settings.js';
import { tuneGc } from '../../server/gc.js';
import { newToken, removeToken, tokenFileOf, writeToken } from '../../server/local-token.js';
import { startServer } from '../../server/server.js';
import { stopSignals } from '../../signals.js';
import { examine } from './examine.js';
import { joinCluster, wantsGateway } from './gateway.js';

/** Time that requests in flight have to finish after the first signal. */
const graceMs = 30_000;

/** Resolves after a signal has stopped the server. */
export async function serve(flags: Partial<Record<SettingName, string>>, version: string): Promise<void> {
	await ensureRegistry(flags);
	const { config, warnings, problems } = loadRegistry(flags, packageRoot);
	const log = createLog({ level: config.logLevel });
	for (const warning of warnings) log.warn({}, warning);
	for (const { id, message } of problems) log.error({ model: id, code: 'config_invalid' }, message);
	const fetch = async (entry: ModelEntry, signal: AbortSignal): Promise<void> => {
		log.info({ model: entry.id }, 'downloading a requested model');
		await installer.fetch(entry, signal);
	};
	const registry = new RegistryWatcher({ flags, packageRoot, log, ...(config.autoPull ? { fetch } : {}) });
	const installer = new Installer(
		() => registry.now,
		() => registry.reload(),
		{ onWarning: (model, warning) => log.warn({ model }, warning) },
	);
	const isGateway = wantsGateway(config);
	const preloaded = config.noWorker ? [] : modelsToPreload(config, registry);
	registry.watch();
	const { defaultModel } = registry;
	const metrics = new Metrics();
	const pool = new RunnerPool({
		...runnersOf(config),
		models: registry,
		onLog: (line) => log.debug({}, line),
		log,
		clock: systemClock,
		metrics,
		createdAt,
	});
	const gateway = isGateway ? await joinCluster(config, pool, log) : undefined;
	tuneGc();
	const localToken = newToken();
	const server = await startServer({
		pool: gateway?.pool ?? pool,
		installer,
		version,
		examine: () => examine(flags),
		host: config.host,
		port: config.port,
		apiKeys: config.apiKeys,
		localToken,
		maxUploadBytes: config.maxUploadMb * 2 ** 20,
		maxUploadsBytes: config.maxUploadsMb * 2 ** 20,
		minUploadBytesPerSecond: config.minUploadBytesPerSecond,
		maxQueueSeconds: config.maxQueueSeconds,
		maxRequestMs: config.maxRequestSeconds * 1000,
		maxLiveSessions: config.maxLiveSessions,
		maxLiveMs: config.maxLiveMinutes * 60_000,
		livePartials: config.livePartials,
		liveLanes: slotsOf(config),
		maxKnownSpeakers: config.maxKnownSpeakers,
		voicesFolder: voicesFolder(),
		allowedHosts: config.allowedHosts,
		allowedOrigins: config.allowedOrigins,
		metrics,
		log,
	});
	const tokenFile = tokenFileOf(server.address);
	await leaveToken(tokenFile, localToken, log);
	warnOfOpenServer(config, log);
	const where = server.address.port === 0 ? server.address.url : `${server.address.url}/v1`;
	process.stderr.write(`Earshot ${version} listens on ${where} (default model: ${gateway?.pool.defaultModel || defaultModel})\n`);
	if (!config.noWorker && registry.entries.some(({ id, demo }) => demo && id === defaultModel))
		process.stderr.write(`${demoNotice()}\n`);
	// The pool logs a failure, and repeats it to requests for the model.
	for (const id of preloaded) pool.load(id, new AbortController().signal, 'start').catch(() => {});
	const signal = await nextSignal();
	log.info({ signal }, 'shutting down');
	// A second signal stops the server without waiting for running requests.
	const stoppedAtOnce = nextSignal().then(() => server.close({ graceMs: 0 }));
	registry.close();
	// Partial downloads stay on disk, and the next pull resumes them.
	await installer.close();
	await Promise.race([server.close({ graceMs }), stoppedAtOnce]);
	await gateway?.close();
	await pool.close();
	await removeToken(tokenFile, localToken);
}

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

async function leaveToken(file: string, token: string, log: Log): Promise<void> {
	try {
		await writeToken(file, token);
	} catch (thrown) {
		const why = thrown instanceof Error ? thrown.message : String(thrown);
		log.warn(
			{},
			`the state folder cannot be written (${why}): models can be pulled, removed, loaded and unloaded over HTTP only with an API key`,
		);
	}
}

function warnOfOpenServer({ apiKeys, host }: Config, log: Log): void {
	if (apiKeys.length > 0 || isLoopback(host) || socketPathOf(host) !== undefined) return;
	log.warn({ host }, 'no API key is set, so everyone who reaches this server can use it: set --api-keys');
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
