/** The real server over the real addon, with the tone models. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { systemClock } from '../../../src/core/clock.js';
import { runnerEnvironment } from '../../../src/core/config/environment.js';
import { slotsOf } from '../../../src/core/config/resolve.js';
import { Metrics } from '../../../src/core/metrics.js';
import { runnerScript } from '../../../src/core/paths.js';
import { createdAt, loadRegistry } from '../../../src/models/registry/registry.js';
import { staticRegistry } from '../../../src/models/registry/watch.js';
import { type PoolOptions, RunnerPool } from '../../../src/pool/pool.js';
import { runnerSettings } from '../../../src/runner/settings.js';
import { type RunningServer, startServer } from '../../../src/server/server.js';
import { generated, loudnessDetector, type ModelFixture, manifest, root } from '../fixtures.js';

/** A folder that is removed after the test. */
export class Scratch implements Disposable {
	readonly path = mkdtempSync(path.join(tmpdir(), 'earshot-test-'));

	file(name: string, content: string | Uint8Array): string {
		const file = path.join(this.path, name);
		writeFileSync(file, content);
		return file;
	}

	[Symbol.dispose](): void {
		rmSync(this.path, { recursive: true, force: true });
	}
}

type ServedModel = Pick<ModelFixture, 'name' | 'type' | 'files' | 'options'>;

/** A models.yaml that serves model fixtures under their names, with speech detected by loudness. */
export function modelsYaml(
	defaultModel: string,
	fixtures: readonly ServedModel[] = [...manifest.models, ...manifest.troubled],
): string {
	const models = fixtures.map(
		({ name, type, files, options }) =>
			`  ${name}: {type: ${type}, files: ${JSON.stringify(files)}, options: ${JSON.stringify(options)}}`,
	);
	return [
		`default_model: ${defaultModel}`,
		`model_dir: ${JSON.stringify(generated)}`,
		`vad_model: ${JSON.stringify(loudnessDetector)}`,
		'num_threads: 2',
		'models:',
		...models,
		'',
	].join('\n');
}

const localToken = 'the-token-of-this-server';

/** The headers of the server's own user, who may change the machine. */
export const ownHeaders = { authorization: `Bearer ${localToken}` };

export interface Served {
	readonly url: string;
	readonly pool: RunnerPool;
	readonly server: RunningServer;
	close(): Promise<void>;
}

export function serveFixtures(
	defaultModel = 'zipformer_ctc',
	given: Partial<PoolOptions> = {},
): Promise<Served> {
	return serve(modelsYaml(defaultModel), given);
}

/** The first one is the default model. */
export function serveModels(models: readonly ServedModel[]): Promise<Served> {
	return serve(modelsYaml(models[0]?.name ?? '', models));
}

async function serve(yaml: string, given: Partial<PoolOptions> = {}): Promise<Served> {
	const scratch = new Scratch();
	const registry = loadRegistry({ config: scratch.file('models.yaml', yaml) }, root);
	const metrics = new Metrics();
	const pool = new RunnerPool({
		models: staticRegistry(registry),
		settings: runnerSettings(registry.config),
		script: runnerScript,
		env: runnerEnvironment(slotsOf(registry.config)),
		clock: systemClock,
		metrics,
		keepAliveMs: Infinity,
		budgetBytes: 0,
		maxRunnerBytes: 0,
		hangTimeoutMs: 0,
		createdAt,
		...given,
	});
	const wyoming = { host: '127.0.0.1', port: 0 };
	const server = await startServer({ pool, metrics, localToken, version: '0.0.0-test', port: 0, wyoming });
	return {
		url: server.address.url,
		pool,
		server,
		async close() {
			await server.close({ graceMs: 0 });
			await pool.close();
			scratch[Symbol.dispose]();
		},
	};
}
