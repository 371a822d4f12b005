/** `earshot serve`: the pool, the server, and a quiet end. */

import { demoNotice } from '../catalog/demo.js';
import { Installer } from '../catalog/installer.js';
import { LiveServing } from '../catalog/live-serving.js';
import { ensureRegistry } from '../catalog/registry-file.js';
import { createdAt, whatToServe } from '../catalog/serving.js';
import { hostEnvironment, lanesOf, type SettingName } from '../config.js';
import { packageRoot } from '../engines/native.js';
import { asEarshotError } from '../errors.js';
import { hostSettings } from '../library.js';
import { createLog } from '../log.js';
import { hostScript } from '../pool/host-script.js';
import { HostPool } from '../pool/pool.js';
import { startServer } from '../server/server.js';

/** Requests in flight get this long to finish after the first signal, ms. */
const graceMs = 30_000;

/** Ends when the server has been told to end, by a signal. */
export async function serve(flags: Partial<Record<SettingName, string>>, version: string): Promise<void> {
	await ensureRegistry(flags);
	const { config, warnings } = whatToServe(flags, packageRoot);
	const log = createLog({ level: config.logLevel });
	for (const warning of warnings) log.warn({}, warning);
	const serving = new LiveServing({
		flags,
		packageRoot,
		log,
		...(config.autoPull ? { fetch: (entry, signal) => installer.fetch(entry, signal) } : {}),
	});
	const installer = new Installer(
		() => serving.now,
		() => serving.reload(),
	);
	serving.watch();
	const { defaultModel } = serving;
	const pool = new HostPool({
		models: serving,
		settings: hostSettings(config),
		script: hostScript(packageRoot),
		env: hostEnvironment(lanesOf(config)),
		onLog: (line) => log.debug({}, line),
		createdAt,
	});
	const server = await startServer({
		pool,
		installer,
		version,
		host: config.host,
		port: config.port,
		apiKeys: config.apiKeys,
		maxUploadBytes: config.maxUploadMb * 2 ** 20,
		allowedHosts: config.allowedHosts,
		allowedOrigins: config.allowedOrigins,
		log,
	});
	const { url } = server.address;
	process.stderr.write(`Earshot ${version} listens on ${url}/v1 (default model: ${defaultModel})\n`);
	if (serving.find(defaultModel).demo) process.stderr.write(`${demoNotice}\n`);
	// Loaded before the first request asks; a failure shows here and again to whoever asks.
	pool.transcriber(defaultModel, new AbortController().signal).then(
		({ facts }) =>
			log.info({ model: defaultModel, engine: facts.engine, device: facts.device }, 'model loaded'),
		(thrown: unknown) => {
			const { code, message } = asEarshotError(thrown);
			if (code !== 'closed') log.error({ model: defaultModel }, message);
		},
	);
	const signal = await nextSignal();
	log.info({ signal }, 'shutting down');
	serving.close();
	// What has come stays, and the next pull goes on from there.
	await installer.close();
	// A second signal is impatience: nobody is waited for.
	const impatient = nextSignal().then(() => server.close({ graceMs: 0 }));
	await Promise.race([server.close({ graceMs }), impatient]);
	await pool.close();
}

function nextSignal(): Promise<NodeJS.Signals> {
	return new Promise((resolve) => {
		const signals = ['SIGINT', 'SIGTERM'] as const;
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
