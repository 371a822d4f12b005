/** `earshot serve`: the pool, the server, and a quiet end. */

import { systemClock } from '../../clock.js';
import { hostEnvironment } from '../../config/environment.js';
import { lanesOf } from '../../config/resolve.js';
import type { Config, SettingName } from '../../config/settings.js';
import { asEarshotError, EarshotError } from '../../errors.js';
import { createLog, type Log } from '../../log.js';
import { Metrics } from '../../metrics.js';
import { Installer } from '../../models/installer.js';
import { demoNotice } from '../../models/registry/demo.js';
import { findIn, type ModelEntry } from '../../models/registry/entry.js';
import { ensureRegistry } from '../../models/registry/file.js';
import { createdAt, isInstalled, whatToServe } from '../../models/registry/registry.js';
import { LiveServing } from '../../models/registry/watch.js';
import { packageRoot, runnerScript } from '../../paths.js';
import { HostPool } from '../../pool/pool.js';
import { hostSettings } from '../../runner/settings.js';
import { collectRarely } from '../../server/gc.js';
import { startServer } from '../../server/server.js';
import { stopSignals } from '../../signals.js';

/** Requests in flight get this long to finish after the first signal, ms. */
const graceMs = 30_000;

/** Ends when the server has been told to end, by a signal. */
export async function serve(flags: Partial<Record<SettingName, string>>, version: string): Promise<void> {
	await ensureRegistry(flags);
	const { config, warnings } = whatToServe(flags, packageRoot);
	const log = createLog({ level: config.logLevel });
	for (const warning of warnings) log.warn({}, warning);
	const fetch = async (entry: ModelEntry, signal: AbortSignal): Promise<void> => {
		log.info({ model: entry.id }, 'fetching a model that was asked for');
		await installer.fetch(entry, signal);
	};
	const serving = new LiveServing({
		flags,
		packageRoot,
		log,
		...(config.autoPull ? { fetch } : {}),
	});
	const installer = new Installer(
		() => serving.now,
		() => serving.reload(),
		{ onWarning: (model, warning) => log.warn({ model }, warning) },
	);
	const preloaded = modelsToPreload(config, serving);
	serving.watch();
	const { defaultModel } = serving;
	const metrics = new Metrics();
	const pool = new HostPool({
		models: serving,
		settings: hostSettings(config),
		script: runnerScript,
		env: hostEnvironment(lanesOf(config)),
		onLog: (line) => log.debug({}, line),
		clock: systemClock,
		metrics,
		keepAliveMs: config.keepAliveMs,
		budgetBytes: config.memoryBudgetMb * 2 ** 20,
		maxHostBytes: config.maxHostMemoryMb * 2 ** 20,
		createdAt,
	});
	collectRarely();
	const server = await startServer({
		pool,
		installer,
		version,
		host: config.host,
		port: config.port,
		apiKeys: config.apiKeys,
		maxUploadBytes: config.maxUploadMb * 2 ** 20,
		maxUploadsBytes: config.maxUploadsMb * 2 ** 20,
		maxQueueSeconds: config.maxQueueSeconds,
		maxRequestMs: config.maxRequestSeconds * 1000,
		allowedHosts: config.allowedHosts,
		allowedOrigins: config.allowedOrigins,
		metrics,
		log,
	});
	const { url } = server.address;
	process.stderr.write(`Earshot ${version} listens on ${url}/v1 (default model: ${defaultModel})\n`);
	if (serving.find(defaultModel).demo) process.stderr.write(`${demoNotice}\n`);
	for (const id of preloaded) preload(pool, id, log);
	const signal = await nextSignal();
	log.info({ signal }, 'shutting down');
	// A second signal is impatience: nobody is waited for.
	const impatient = nextSignal().then(() => server.close({ graceMs: 0 }));
	serving.close();
	// What has come stays, and the next pull goes on from there.
	await installer.close();
	await Promise.race([server.close({ graceMs }), impatient]);
	await pool.close();
}

/** A server does not start with a mistake: throws `config_invalid` for what it does not serve. */
function modelsToPreload({ preload: ids, autoPull }: Config, serving: LiveServing): readonly string[] {
	if (ids.length > 0) {
		const unknown = ids.find((id) => id !== 'none' && !findIn(serving.entries, id));
		if (unknown === undefined) return ids.filter((id) => id !== 'none');
		const known = serving.entries.map(({ id }) => id).join(', ');
		throw new EarshotError('config_invalid', `Expected \`preload\` to be of ${known}, got \`${unknown}\``, {
			param: 'preload',
		});
	}
	const { defaultModel } = serving;
	// What is to be fetched is fetched when it is asked for, and not before.
	return isInstalled(serving.find(defaultModel)) || !autoPull ? [defaultModel] : [];
}

/** Loaded before the first request asks; a failure shows here and again to whoever asks. */
function preload(pool: HostPool, model: string, log: Log): void {
	pool.load(model, new AbortController().signal).then(
		({ engine, device, encoder, decoder }) =>
			log.info({ model, engine, device, encoder, decoder }, 'model loaded'),
		(thrown: unknown) => {
			const { code, message } = asEarshotError(thrown);
			if (code !== 'closed') log.error({ model }, message);
		},
	);
}

function nextSignal(): Promise<NodeJS.Signals> {
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
