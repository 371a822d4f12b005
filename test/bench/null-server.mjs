// The server as `earshot serve` makes it, with null-runner.mjs in place of its runners. Prints its URL and the pid of
// its runner; ends with SIGTERM. RUNNER_NODE_OPTIONS: Node's options for the runner, `--import` of a profiler say.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { env, stdout } from 'node:process';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../dist/core/clock.js';
import { runnerEnvironment } from '../../dist/core/config/environment.js';
import { slotsOf } from '../../dist/core/config/resolve.js';
import { tuneGc } from '../../dist/core/gc.js';
import { createLog } from '../../dist/core/log.js';
import { Metrics } from '../../dist/core/metrics.js';
import { createdAt, loadRegistry } from '../../dist/models/registry/registry.js';
import { staticRegistry } from '../../dist/models/registry/watch.js';
import { RunnerPool } from '../../dist/pool/pool.js';
import { runnerSettings } from '../../dist/runner/settings.js';
import { startServer } from '../../dist/server/server.js';
import { root } from './lib/peers.mjs';

const folder = mkdtempSync(join(tmpdir(), 'earshot-bench-'));
const config = join(folder, 'models.yaml');
// Any file that is there: the null engine reads none.
writeFileSync(config, `models: {nothing: {type: whisper_cpp, files: {model: ${JSON.stringify(config)}}}}\n`);
const registry = loadRegistry({ config }, root);
const metrics = new Metrics();
const pool = new RunnerPool({
	models: staticRegistry(registry),
	settings: runnerSettings(registry.config),
	script: fileURLToPath(new URL('null-runner.mjs', import.meta.url)),
	env: { ...runnerEnvironment(slotsOf(registry.config)), NODE_OPTIONS: env.RUNNER_NODE_OPTIONS },
	clock: systemClock,
	keepAliveMs: Number.POSITIVE_INFINITY,
	budgetBytes: 0,
	maxRunnerBytes: 0,
	hangTimeoutMs: 0,
	metrics,
	createdAt,
});
tuneGc();
const server = await startServer({ pool, version: '0', metrics, log: createLog({ level: 'info' }) });
await pool.load('nothing', new AbortController().signal);
stdout.write(`${JSON.stringify({ url: server.address.url, runner: pool.models[0]?.pid })}\n`);
async function close() {
	await server.close({ graceMs: 0 });
	await pool.close();
	rmSync(folder, { recursive: true });
}

process.once('SIGTERM', () => void close());
