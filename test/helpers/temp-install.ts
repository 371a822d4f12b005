/** A separate installation for each test: folders, a models.yaml, a mirror, and models to pull from it. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import type { SettingName } from '../../src/core/config/settings.js';
import type { CatalogFile, CatalogModel } from '../../src/models/catalog/types.js';
import { Installer, type InstallerDeps } from '../../src/models/installer.js';
import { loadRegistry, type ModelRegistry } from '../../src/models/registry/registry.js';
import { root } from './fixtures.js';
import { type Mirror, noise, sha256, startMirror } from './net/mirror.js';

export interface Machine {
	readonly folder: string;
	readonly mirror: Mirror;
	readonly flags: Partial<Record<SettingName, string>>;
	readonly modelDir: string;
	readonly config: string;
	readonly installer: Installer;
	registry(): ModelRegistry;
	/** Behaves like an installer in another process. */
	another(deps?: InstallerDeps): Installer;
}

export const mit = { name: 'MIT', url: 'https://opensource.org/license/mit', osi: true };

/** A model for a test's catalog, with defaults for what is not given. */
export function catalogModel(given: Partial<CatalogModel> & Pick<CatalogModel, 'id'>): CatalogModel {
	return {
		title: given.id,
		engine: 'sherpa-onnx',
		type: 'sense_voice',
		family: 'Test',
		use: 'transcription',
		languages: ['en'],
		features: [],
		licence: mit,
		roles: { model: 'model.onnx', tokens: 'tokens.txt' },
		files: [],
		archive: null,
		options: {},
		memoryBytes: null,
		speed: 'fast',
		...given,
	};
}

/** Puts a file on the mirror and returns its catalog entry. */
export function fileOn(
	mirror: Mirror,
	url: string,
	bytes: Buffer,
	pathInModel = path.posix.basename(url),
): CatalogFile {
	return { path: pathInModel, url: mirror.has(url, bytes), bytes: bytes.length, sha256: sha256(bytes) };
}

export const modelBytes = noise(120_000);
export const tokenBytes = Buffer.from('a 0\nb 1\n');

/** `small`: a model of two files. `odd`: the same, with a licence to accept. `silero`: not a transcription model. */
export function usualModels(mirror: Mirror): readonly CatalogModel[] {
	const files = [
		fileOn(mirror, '/small/model.onnx', modelBytes),
		fileOn(mirror, '/small/tokens.txt', tokenBytes),
	];
	return [
		catalogModel({ id: 'small', files }),
		catalogModel({ id: 'odd', files, licence: { name: 'Odd', url: 'https://odd.test/', osi: false } }),
		catalogModel({
			id: 'unpinned',
			files: files.map((file) => ({ ...file, bytes: null, sha256: null })),
		}),
		catalogModel({
			id: 'silero',
			use: 'vad',
			type: 'vad',
			roles: { model: 'vad.onnx' },
			files: [fileOn(mirror, '/vad.onnx', noise(1000))],
		}),
		catalogModel({ id: 'unknown-type', type: 'not_yet', files }),
	];
}

/** Small limits, so that small files are treated like large ones, and no waiting. */
export const quick: InstallerDeps = {
	tuning: { attempts: 3, windowMs: 400, windowBytes: 1000, saveEveryBytes: 10_000 },
	wait: async () => {},
};

export async function arrangeMachine(
	given: {
		readonly models?: (mirror: Mirror) => readonly CatalogModel[];
		readonly yaml?: (mirror: Mirror) => string;
		readonly deps?: InstallerDeps;
		readonly flags?: Partial<Record<SettingName, string>>;
	} = {},
): Promise<Machine> {
	const mirror = await startMirror();
	const folder = mkdtempSync(path.join(tmpdir(), 'earshot-test-'));
	const modelDir = path.join(folder, 'models');
	const config = path.join(folder, 'models.yaml');
	const catalog = path.join(folder, 'catalog.json');
	writeFileSync(catalog, JSON.stringify({ models: (given.models ?? usualModels)(mirror) }));
	writeFileSync(config, given.yaml?.(mirror) ?? '# mine\nmodels: {}\n');
	const flags = { config, modelDir, catalog, ...given.flags };
	const installers: Installer[] = [];
	const another = (deps: InstallerDeps = { ...quick, ...given.deps }): Installer => {
		let registry = loadRegistry(flags, root);
		const installer = new Installer(
			() => registry,
			() => {
				registry = loadRegistry(flags, root);
			},
			deps,
		);
		installers.push(installer);
		return installer;
	};
	onTestFinished(async () => {
		await Promise.all(installers.map((installer) => installer.close()));
		rmSync(folder, { recursive: true, force: true });
	});
	return {
		folder,
		mirror,
		flags,
		modelDir,
		config,
		installer: another(),
		registry: () => loadRegistry(flags, root),
		another,
	};
}
