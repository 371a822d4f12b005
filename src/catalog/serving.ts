/** What this machine serves: models.yaml, or the demo model where there is none. */

import { readFileSync, statSync } from 'node:fs';
import { type Config, environmentSource, flagSource, resolveConfig, type SettingName } from '../config.js';
import { EarshotError } from '../errors.js';
import { demoEntry } from './demo.js';
import type { ModelEntry } from './model-entry.js';
import { emptyRegistry, parseRegistry } from './registry.js';

export interface Serving {
	readonly config: Config;
	readonly entries: readonly ModelEntry[];
	readonly defaultModel: string;
	readonly warnings: readonly string[];
}

/** Names that OpenAI's clients send; each means the default model here. */
const wellKnownNames = [
	'whisper-1',
	'gpt-transcribe',
	'gpt-4o-transcribe',
	'gpt-4o-mini-transcribe',
	'gpt-4o-mini-transcribe-2025-12-15',
] as const;

/** Flags over environment over models.yaml over defaults. Throws `config_invalid`. */
export function whatToServe(flags: Partial<Record<SettingName, string>>, packageRoot: string): Serving {
	const outer = [flagSource(flags), environmentSource()];
	const { config: file, modelDir } = resolveConfig(outer);
	const asked = flags.config !== undefined || outer.some(({ values }) => values.config !== undefined);
	// `model_dir` may stand in the file itself, and the entries' folders are relative to it.
	const first = readRegistry(file, modelDir, asked);
	const config = resolveConfig([...outer, first.source]);
	const registry = config.modelDir === modelDir ? first : readRegistry(file, config.modelDir, asked);
	const entries = [...registry.entries, demoEntry(packageRoot)];
	const defaultModel = pickDefault(entries, config.defaultModel);
	return {
		config,
		entries: withWellKnownNames(entries, defaultModel),
		defaultModel,
		warnings: registry.warnings,
	};
}

function readRegistry(file: string, modelDir: string, asked: boolean) {
	let text: string;
	try {
		text = readFileSync(file, 'utf8');
	} catch (cause) {
		// The default place may be empty; a file that was named must be there.
		if (!asked && cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return emptyRegistry;
		throw new EarshotError(
			'config_invalid',
			`Expected \`config\` to be a file that can be read, got \`${file}\``,
			{ cause, param: 'config' },
		);
	}
	return parseRegistry(text, file, modelDir);
}

function pickDefault(entries: readonly ModelEntry[], wanted: string): string {
	if (wanted !== '') {
		const found = entries.find(({ id, aliases }) => id === wanted || aliases.includes(wanted));
		if (found) return found.id;
		const ids = entries.map(({ id }) => id).join(', ');
		throw new EarshotError(
			'config_invalid',
			`Expected \`default_model\` to be one of ${ids}, got \`${wanted}\``,
			{ param: 'default_model' },
		);
	}
	return entries[0]?.id ?? '';
}

/** A name that the user gave to a model keeps meaning that model. */
function withWellKnownNames(entries: readonly ModelEntry[], defaultModel: string): ModelEntry[] {
	const taken = new Set(entries.flatMap(({ id, aliases }) => [id, ...aliases]));
	const free = wellKnownNames.filter((name) => !taken.has(name));
	return entries.map((entry) =>
		entry.id === defaultModel ? { ...entry, aliases: [...entry.aliases, ...free] } : entry,
	);
}

/** Unix seconds at which the model's newest file arrived; 0 while it has not. */
export function createdAt(entry: ModelEntry): number {
	const times = Object.values(entry.files).map(
		(file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0,
	);
	return Math.floor(Math.max(0, ...times) / 1000);
}
