/** Builds the configuration of sherpa-onnx's recognizer from a model's entry. */

import path from 'node:path';
import { packageRoot } from '../../core/paths.js';
import type { Family } from '../../models/types/family.js';
import type { SherpaType } from '../../models/types/types.js';

export interface SherpaSettings {
	readonly id: string;
	readonly type: SherpaType;
	/** Role → absolute path. */
	readonly files: Readonly<Record<string, string>>;
	/** Options from models.yaml, already checked against the family. */
	readonly options: Readonly<Record<string, string | number | boolean>>;
	/** Languages of the model, from models.yaml or the catalog; null = not given. */
	readonly languages: readonly string[] | null;
	readonly libraryDir: string;
	readonly slots: number;
}

/** The recognizer's configuration, by dotted field path. Pure. */
export function configOf(
	family: Family,
	settings: Pick<SherpaSettings, 'files' | 'options'>,
): Record<string, string | number> {
	const provider = providerOf(settings);
	const config: Record<string, string | number> = {
		// One thread per slot: slots provide the parallelism, and more threads would contend.
		'model_config.num_threads': 1,
		'model_config.provider':
			provider === 'cpu' ? `cpu:${path.join(packageRoot, 'native', 'onnxruntime-cpu.conf')}` : provider,
		decoding_method: 'greedy_search',
	};
	if (family.chunk !== undefined) {
		// The library's own defaults decide how much silence ends an utterance.
		config.enable_endpoint = 1;
		// By default one also ends after 20 s, within a word, which is then written in two pieces or twice.
		config.rule3_min_utterance_length = 1e9;
	}
	if (family.modelType !== undefined) config['model_config.model_type'] = family.modelType;
	for (const [role, field] of Object.entries(family.files)) {
		const file = settings.files[role];
		if (file !== undefined) config[`model_config.${field}`] = file;
	}
	for (const [name, value] of Object.entries({ ...family.defaults, ...settings.options })) {
		const rule = family.options?.[name];
		if (rule === undefined || rule.field === '') continue;
		config[rule.field] = typeof value === 'boolean' ? Number(value) : value;
	}
	const { changes } = family;
	if (changes?.target !== undefined) config[changes.target] = config[changes.language] ?? '';
	return config;
}

/** `cpu`, `cuda` or `coreml`. */
export function providerOf(settings: Pick<SherpaSettings, 'options'>): string {
	return textOption(settings, 'provider') ?? 'cpu';
}

export function textOption({ options }: Pick<SherpaSettings, 'options'>, name: string): string | undefined {
	const value = options[name];
	return typeof value === 'string' && value !== '' ? value : undefined;
}
