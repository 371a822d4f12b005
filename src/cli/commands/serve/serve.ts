/** `earshot serve`: starts the pool and the server, and shuts both down gracefully. */

import { hostAndPort, isLoopback, socketPathOf } from '../../../core/config/addresses.js';
import { voicesFolder, webhooksFolder } from '../../../core/config/folders.js';
import type { Config, SettingTexts } from '../../../core/config/settings.js';
import { tuneGc } from '../../../core/gc.js';
import { createLog, type Log } from '../../../core/log.js';
import { Metrics } from '../../../core/metrics.js';
import { packageRoot } from '../../../core/paths.js';
import { Installer } from '../../../models/installer.js';
import { demoNotice } from '../../../models/registry/demo.js';
import type { ModelEntry } from '../../../models/registry/entry.js';
import { ensureRegistry } from '../../../models/registry/file.js';
import { loadRegistry } from '../../../models/registry/registry.js';
import { RegistryWatcher } from '../../../models/registry/watch.js';
import { ServedCertificate } from '../../../server/certificate.js';
import { newToken, removeToken, tokenFileOf, writeToken } from '../../../server/local-token.js';
import { type RunningServer, type ServerOptions, startServer } from '../../../server/server.js';
import { examine } from '../examine.js';
import { estimatedBytes, localPool, modelsToPreload, nextSignal, wantsGateway } from './start-up.js';

/** Time that requests in flight have to finish after the first signal. */
const graceMs = 30_000;

/** Resolves after a signal has stopped the server. */
export async function serve(flags: SettingTexts, version: string): Promise<void> {
	await ensureRegistry(flags);
	const { config, warnings, problems } = loadRegistry(flags, packageRoot);
	const log = createLog({ level: config.logLevel });
	for (const warning of warnings) log.warn({}, warning);
	for (const { id, message } of problems) log.error({ model: id, code: 'config_invalid' }, message);
	const certificate = await ServedCertificate.read(config, log);
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
	const pool = localPool(config, { models: registry, log, metrics });
	// Imported only if needed: it would make every start a quarter slower.
	const gateway = isGateway
		? await (await import('./gateway.js')).joinCluster(config, pool, {
				log,
				bytesOf: estimatedBytes(registry),
				version,
			})
		: undefined;
	tuneGc();
	const localToken = newToken();
	const server = await startServer({
		pool: gateway?.pool ?? pool,
		sharedJobs: gateway?.jobs,
		sharedWebhooks: gateway?.webhooks,
		installer,
		version,
		examine: () => examine(flags),
		...serverSettings(config),
		tls: certificate.identity,
		localToken,
		metrics,
		log,
	});
	const tokenFile = tokenFileOf(server.address);
	await storeToken(tokenFile, localToken, log);
	const stopRenewing = await certificate.keep(server);
	warnIfExposed(config, log);
	printAddress(server, version, gateway?.pool.defaultModel || defaultModel);
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
	await stopRenewing();
}

/** The server options from the settings of requests and sessions. */
function serverSettings(config: Config) {
	return {
		host: config.host,
		port: config.port,
		apiKeys: config.apiKeys,
		maxUploadBytes: config.maxUploadMb * 2 ** 20,
		maxUploadsBytes: config.maxUploadsMb * 2 ** 20,
		minUploadBytesPerSecond: config.minUploadBytesPerSecond,
		maxQueueSeconds: config.maxQueueSeconds,
		maxRequestMs: config.maxRequestSeconds * 1000,
		maxLiveSessions: config.maxLiveSessions,
		maxLiveMs: config.maxLiveMinutes * 60_000,
		livePartials: config.livePartials,
		wyoming: config.wyoming === '' ? undefined : hostAndPort(config.wyoming),
		maxKnownSpeakers: config.maxKnownSpeakers,
		...jobsOf(config),
		voicesFolder: voicesFolder(),
		webhooksFolder: webhooksFolder(),
		webhookAllow: config.webhookAllow,
		fetchHosts: config.allowFetch,
		allowedHosts: config.allowedHosts,
		allowedOrigins: config.allowedOrigins,
	};
}

/** The server options from the settings of jobs. */
function jobsOf(config: Config): Pick<ServerOptions, 'jobsFolder' | 'jobLimits' | 'jobRetention'> {
	const { jobsDir, maxJobs, maxJobsPerKey, maxJobsMb, jobRetention, keepAudio, dedupeSeconds } = config;
	return {
		jobsFolder: jobsDir,
		jobLimits: { maxJobs, maxJobsPerKey, maxBytes: maxJobsMb * 2 ** 20 },
		jobRetention: { result: jobRetention, dedupe: dedupeSeconds, keepAudio },
	};
}

async function storeToken(file: string, token: string, log: Log): Promise<void> {
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

function warnIfExposed({ apiKeys, host, wyoming }: Config, log: Log): void {
	const { host: ofWyoming } = hostAndPort(wyoming);
	if (wyoming !== '' && !isLoopback(ofWyoming) && socketPathOf(ofWyoming) === undefined)
		log.warn(
			{ wyoming },
			'Wyoming has neither keys nor encryption, so everyone who can reach its port can use it: expose it only to a network that you trust',
		);
	if (apiKeys.length > 0 || isLoopback(host) || socketPathOf(host) !== undefined) return;
	log.warn({ host }, 'no API key is set, so everyone who reaches this server can use it: set --api-keys');
}

function printAddress(
	{ address, wyomingAddress }: RunningServer,
	version: string,
	defaultModel: string,
): void {
	const where = address.port === 0 ? address.url : `${address.url}/v1`;
	const wyoming = wyomingAddress ? `Wyoming, for Home Assistant: ${wyomingAddress.url}\n` : '';
	// Written at once, so that a program that waits for the first line also gets the second.
	process.stderr.write(`Earshot ${version} listens on ${where} (default model: ${defaultModel})\n${wyoming}`);
}
