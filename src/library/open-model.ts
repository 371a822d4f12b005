/** Loads the model of an id or alias, in this process or in a runner process of its own. */

import { systemClock } from '../core/clock.js';
import { earshot } from '../core/command-line.js';
import { runnerEnvironment } from '../core/config/environment.js';
import { slotsOf } from '../core/config/resolve.js';
import { EarshotError } from '../core/errors.js';
import type { LiveTranscriber } from '../core/live/live.js';
import { runnerScript } from '../core/paths.js';
import { finished } from '../core/speech/assemble.js';
import type { Transcriber } from '../core/speech/transcriber.js';
import type { ModelEntry } from '../models/registry/entry.js';
import { findInstalled, type ModelRegistry } from '../models/registry/registry.js';
import { LiveAudio } from '../pipeline/live/stream.js';
import { runPipeline } from '../pipeline/pipeline.js';
import { loadModel } from '../runner/child/load-model.js';
import { Runner } from '../runner/runner.js';
import { type RunnerSettings, runnerSettings } from '../runner/settings.js';

export interface OpenModel {
	readonly transcriber: Transcriber & LiveTranscriber;
	readonly close: () => Promise<void>;
}

/**
 * The diarization model; as `openModel`. Throws `model_not_found` with the command that installs it if there is none.
 */
export async function openDiarizer(registry: ModelRegistry, isolated: boolean): Promise<OpenModel> {
	const { diarizer } = registry;
	if (diarizer !== undefined) return await openModel(registry, diarizer, isolated);
	throw new EarshotError(
		'model_not_found',
		`Diarization needs two small models that are not on this machine. To download them: ${earshot('pull diarization')}`,
		{ param: 'diarize' },
	);
}

/** `isolated`: in a runner process. */
export async function openModel(
	registry: ModelRegistry,
	idOrAlias: string,
	isolated: boolean,
): Promise<OpenModel> {
	const entry = findInstalled(registry, idOrAlias);
	const { config } = registry;
	return isolated
		? await inRunner(entry, runnerSettings(config), config.hangTimeoutSeconds * 1000)
		: await inProcess(entry, runnerSettings(config));
}

async function inProcess(entry: ModelEntry, settings: RunnerSettings): Promise<OpenModel> {
	const model = await loadModel(entry, settings);
	return {
		transcriber: {
			info: model.parts.info,
			transcribe: (recording, options, signal) =>
				finished(
					model.diarize?.(recording, options, signal, {}) ??
						runPipeline(model.parts, recording, options, signal),
					{
						model: entry.id,
						task: options.task,
						language: options.language,
					},
				),
			listen: (options, take) => new LiveAudio(model.parts, options, take),
		},
		close: () => model.close(),
	};
}

async function inRunner(
	entry: ModelEntry,
	settings: RunnerSettings,
	hangTimeoutMs: number,
): Promise<OpenModel> {
	const runner = new Runner({
		entry,
		settings,
		script: runnerScript,
		env: runnerEnvironment(slotsOf(settings)),
		clock: systemClock,
		maxRssBytes: 0,
		hangTimeoutMs,
	});
	try {
		await runner.start();
	} catch (thrown) {
		await runner.close();
		throw thrown;
	}
	return { transcriber: runner, close: () => runner.close() };
}
