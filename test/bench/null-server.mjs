// The server as `earshot serve` makes it, with null-host.mjs in place of its hosts. Prints its URL and the pid of
// its host; ends with SIGTERM. HOST_NODE_OPTIONS: Node's options for the host, `--import` of a profiler say.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { env, stdout } from 'node:process';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../dist/clock.js';
import { hostEnvironment } from '../../dist/config/environment.js';
import { lanesOf } from '../../dist/config/resolve.js';
import { createLog } from '../../dist/log.js';
import { Metrics } from '../../dist/metrics.js';
import { createdAt, whatToServe } from '../../dist/models/registry/registry.js';
import { fixedServing } from '../../dist/models/registry/watch.js';
import { HostPool } from '../../dist/pool/pool.js';
import { hostSettings } from '../../dist/runner/settings.js';
import { collectRarely } from '../../dist/server/gc.js';
import { startServer } from '../../dist/server/server.js';
import { root } from './lib/peers.mjs';

const folder = mkdtempSync(join(tmpdir(), 'earshot-bench-'));
const config = join(folder, 'models.yaml');
// Any file that is there: the null engine reads none.
writeFileSync(config, `models: {nothing: {type: whisper_cpp, files: {model: ${JSON.stringify(config)}}}}\n`);
const serving = whatToServe({ config }, root);
const metrics = new Metrics();
const pool = new HostPool({
	models: fixedServing(serving),
	settings: hostSettings(serving.config),
	script: fileURLToPath(new URL('null-host.mjs', import.meta.url)),
	env: { ...hostEnvironment(lanesOf(serving.config)), NODE_OPTIONS: env.HOST_NODE_OPTIONS },
	clock: systemClock,
	keepAliveMs: Number.POSITIVE_INFINITY,
	budgetBytes: 0,
	maxHostBytes: 0,
	metrics,
	createdAt,
});
collectRarely();
const server = await startServer({ pool, version: '0', metrics, log: createLog({ level: 'info' }) });
await pool.load('nothing', new AbortController().signal);
stdout.write(`${JSON.stringify({ url: server.address.url, host: pool.models[0]?.pid })}\n`);
async function close() {
	await server.close({ graceMs: 0 });
	await pool.close();
	rmSync(folder, { recursive: true });
}

process.once('SIGTERM', () => void close());
