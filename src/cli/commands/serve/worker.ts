/** `earshot worker`: runs models for servers on other machines. */

import { openCluster } from '../../../cluster/open-cluster.js';
import { startWorker } from '../../../cluster/workers/worker.js';
import { systemClock } from '../../../core/clock.js';
import { voicesFolder } from '../../../core/config/folders.js';
import type { SettingTexts } from '../../../core/config/settings.js';
import { createLog } from '../../../core/log.js';
import { Metrics } from '../../../core/metrics.js';
import { withoutSecrets } from '../../../core/optional-packages.js';
import { packageRoot } from '../../../core/paths.js';
import { ensureRegistry } from '../../../models/registry/file.js';
import { loadRegistry } from '../../../models/registry/registry.js';
import { RegistryWatcher } from '../../../models/registry/watch.js';
import { listen } from '../../../server/listen.js';
import { Admission } from '../../../server/request/admission.js';
import { VoiceStore } from '../../../speakers/voice-store.js';
import { clusterUrls } from './gateway.js';
import { estimatedBytes, localPool, modelsToPreload, nextSignal, numericsOfMachine } from './start-up.js';

/** Time to return unfinished units after the first signal; a second signal ends the worker at once. */
const graceMs = 20_000;

/** Resolves after a signal has stopped the worker. */
export async function worker(flags: SettingTexts, version: string): Promise<void> {
	await ensureRegistry(flags);
	const { config } = loadRegistry(flags, packageRoot);
	const urls = clusterUrls(config);
	const log = createLog({ level: config.logLevel });
	const registry = new RegistryWatcher({ flags, packageRoot, log });
	const preloaded = modelsToPreload(config, registry);
	registry.watch();
	const metrics = new Metrics();
	const pool = localPool(config, { models: registry, log, metrics });
	const numerics = numericsOfMachine(config, version);
	const cluster = await openCluster({ ...urls, waitsForServer: true, numerics, clock: systemClock, log });
	const running = await startWorker({
		...{ cluster, pool, clock: systemClock, metrics, log, advertise: config.advertise },
		admission: new Admission({ maxQueueSeconds: config.maxQueueSeconds, metrics, clock: systemClock }),
		maxKnownSpeakers: config.maxKnownSpeakers,
		voices: new VoiceStore(voicesFolder()),
		listen: (server) => listen(server, config.host, config.port, 'http'),
		minUploadBytesPerSecond: config.minUploadBytesPerSecond,
		budgetBytes: config.memoryBudgetMb * 2 ** 20,
		numerics,
		bytesOf: estimatedBytes(registry),
	});
	const where = withoutSecrets(urls.queueUrl);
	process.stderr.write(`Earshot ${version} works for ${where} and is reachable at ${running.address}\n`);
	for (const id of preloaded) pool.load(id, new AbortController().signal, 'start').catch(() => {});
	const signal = await nextSignal();
	log.info({ signal }, 'shutting down');
	registry.close();
	const closed = (async () => {
		await running.close();
		await pool.close();
		await cluster.close();
	})();
	// Units not returned by then go to another worker when their lease expires.
	const tooLong = new Promise<void>((resolve) => void setTimeout(resolve, graceMs));
	await Promise.race([closed, tooLong, nextSignal()]);
}
