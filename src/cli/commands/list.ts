/** `earshot list`: the models on this machine. Downloads nothing. */

import { statSync } from 'node:fs';
import { earshot } from '../../core/command-line.js';
import type { SettingTexts } from '../../core/config/settings.js';
import { packageRoot } from '../../core/paths.js';
import { Installer } from '../../models/installer.js';
import { repairCommand } from '../../models/messages.js';
import { demoNotice } from '../../models/registry/demo.js';
import type { ModelEntry } from '../../models/registry/entry.js';
import { canBePulled } from '../../models/registry/pull-plan.js';
import { isInstalled, loadRegistry, type ModelRegistry } from '../../models/registry/registry.js';
import type { Manifest, Store } from '../../models/store/store.js';
import { jsonText, type ListForm, sizeText, table } from '../ui/table.js';

/** `mistake`: its entry in models.yaml cannot be served. `unlisted`: it was pulled and is not in models.yaml. */
type State = 'ready' | 'missing' | 'damaged' | 'mistake' | 'unlisted';

interface ListedOnDisk {
	readonly id: string;
	readonly type: string;
	readonly bytes: number | null;
	readonly state: State;
	readonly use: string;
	readonly aliases: readonly string[];
	readonly isDefault: boolean;
	/** The command that repairs it; '' = there is none. */
	readonly repair: string;
	/** Why it is not ready; '' = it is. */
	readonly why: string;
}

/** The models in models.yaml, then those that were pulled and are not in it. */
export function printModels(flags: SettingTexts, form: ListForm): void {
	const registry = loadRegistry(flags, packageRoot);
	const { warnings, problems, entries, defaultModel, config } = registry;
	const models = modelsOn(registry, new Installer(() => registry));
	if (form === 'ids') {
		process.stdout.write(models.map(({ id }) => `${id}\n`).join(''));
		return;
	}
	if (form === 'json') {
		process.stdout.write(
			jsonText({
				config: config.config,
				model_dir: config.modelDir,
				default_model: defaultModel,
				models: models.map(({ id, isDefault, ...model }) => ({ id, default: isDefault, ...model })),
				warnings,
			}),
		);
		return;
	}
	for (const warning of warnings) process.stderr.write(`warning: ${warning}\n`);
	for (const { message } of problems) process.stderr.write(`mistake: ${message}\n`);
	const rows = models.map((model) => [
		`${model.id}${model.isDefault ? ' (default)' : ''}`,
		model.type,
		sizeText(model.bytes),
		stateText(model),
		model.aliases.join(', '),
	]);
	process.stdout.write(table([['MODEL', 'TYPE', 'SIZE', 'STATE', 'ALSO KNOWN AS'], ...rows]));
	process.stderr.write(adviceFor(models));
	if (entries.length === 1)
		process.stderr.write(`\n${demoNotice()}\nmodels.yaml is expected at ${config.config}\n`);
}

function stateText({ state, use }: ListedOnDisk): string {
	if (state === 'missing') return 'files missing';
	if (state === 'mistake') return 'mistake in models.yaml';
	if (state !== 'unlisted') return state;
	return ['transcription', 'diarization'].includes(use) ? 'not in models.yaml' : `installed, for ${use}`;
}

function adviceFor(models: readonly ListedOnDisk[]): string {
	const broken = models.filter(({ why, state }) => why !== '' && state !== 'mistake');
	const pulls = broken.filter(({ id, repair }) => repair === earshot(`pull ${id}`)).map(({ id }) => id);
	const others = broken.filter(({ id }) => !pulls.includes(id));
	return [
		...(pulls.length > 0 ? [`\nTo repair: ${earshot(`pull ${pulls.join(' ')}`)}\n`] : []),
		...others.map(
			({ id, why, repair }) =>
				`\n${id}: ${why}. ${repair === '' ? `Put them back, or: ${earshot(`rm ${id}`)}` : `To repair: ${repair}`}\n`,
		),
	].join('');
}

function modelsOn(registry: ModelRegistry, { store }: Installer): readonly ListedOnDisk[] {
	const { entries, problems, defaultModel } = registry;
	const served = entries.map((entry) => listedEntry(entry, registry, store));
	const bad = problems.map(({ id, message }) => ({
		...blank(id, id === defaultModel),
		state: 'mistake' as const,
		why: message,
	}));
	const others = store
		.manifests()
		.filter(({ id }) => entries.every((entry) => entry.id !== id))
		.map((manifest) => listedManifest(manifest, registry, store));
	return [...served, ...bad, ...others];
}

function blank(id: string, isDefault: boolean): ListedOnDisk {
	const none = { type: '', bytes: null, use: 'transcription', aliases: [], repair: '', why: '' };
	return { ...none, id, isDefault, state: 'missing' };
}

function listedEntry(entry: ModelEntry, registry: ModelRegistry, store: Store): ListedOnDisk {
	const { id, type, aliases, files } = entry;
	const manifest = store.manifest(id);
	const isDamaged = manifest !== undefined && store.stateOf(manifest) === 'damaged';
	const state = !isInstalled(entry) ? 'missing' : isDamaged ? 'damaged' : 'ready';
	const missing = Object.values(files).filter((file) => sizeOf([file]) === null);
	return {
		...blank(id, id === registry.defaultModel),
		type,
		aliases,
		bytes: sizeOf(Object.values(files)),
		state,
		repair: state === 'ready' ? '' : repairCommand(id, manifest, canBePulled(entry, registry)),
		why: { missing: `${missing.join(', ')} not found`, damaged: 'its files have changed', ready: '' }[state],
	};
}

function listedManifest(manifest: Manifest, { catalog }: ModelRegistry, store: Store): ListedOnDisk {
	const { id, type, use, files } = manifest;
	const found = store.stateOf(manifest);
	return {
		...blank(id, false),
		type,
		use,
		bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
		state: found === 'whole' ? 'unlisted' : found,
		repair: found === 'whole' ? '' : repairCommand(id, manifest, catalog.find(id) !== undefined),
		why: found === 'whole' ? '' : `its files are ${found}`,
	};
}

function sizeOf(files: readonly string[]): number | null {
	const sizes = files.map((file) => statSync(file, { throwIfNoEntry: false })?.size);
	return sizes.reduce<number | null>(
		(sum, size) => (sum === null || size === undefined ? null : sum + size),
		0,
	);
}
