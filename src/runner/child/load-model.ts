/** Loads the model of an entry in this process, and assembles engine, scheduler and pipeline. */

import { access, constants, stat } from 'node:fs/promises';
import { addon } from '../../addon/addon.js';
import { findSherpaLibrary, sherpaLibraryIfAny } from '../../addon/libraries.js';
import { decoder } from '../../audio/decode.js';
import { openLiveInput } from '../../audio/live-input.js';
import { createVad, noVad } from '../../audio/vad.js';
import { modelOptions, slotsOf } from '../../core/config/resolve.js';
import { EarshotError, reasonOf } from '../../core/errors.js';
import { sileroPath } from '../../core/paths.js';
import { diarizationType } from '../../core/speech/model-info.js';
import { type Engine, isStreaming } from '../../engines/engine.js';
import { loadSherpa } from '../../engines/sherpa/sherpa.js';
import { Int8Store } from '../../engines/whisper/int8-store.js';
import { loadParakeet, loadWhisper } from '../../engines/whisper/whisper.js';
import type { ModelEntry } from '../../models/registry/entry.js';
import { isSherpaType } from '../../models/types/types.js';
import { ModelTime } from '../../pipeline/live/model-time.js';
import type { LiveParts } from '../../pipeline/live/stream.js';
import { Scheduler } from '../../scheduler/scheduler.js';
import type { RunnerSettings } from '../settings.js';
import { loadDiarizer, type RunRecording } from './diarizer.js';

export interface OpenedModel {
	readonly parts: LiveParts;
	/** For diarization models: runs instead of the pipeline. */
	readonly diarize?: RunRecording;
	/** Returns free heap memory to the operating system. Takes milliseconds. */
	trim(): void;
	/** Lets running clips finish, then frees everything. */
	close(): Promise<void>;
}

/** `onLog`: called with warnings and errors that the engine logs, while the process runs. */
export type LoadModel = (
	entry: ModelEntry,
	settings: RunnerSettings,
	onLog?: (level: 'warn' | 'error', line: string) => void,
) => Promise<OpenedModel>;

/** Throws `model_load_failed` or `engine_missing`. */
export const loadModel: LoadModel = async (entry, settings, onLog) => {
	await checkFiles(entry);
	if (onLog)
		addon().setLogSink((level, line) => {
			if (level === 'warn' || level === 'error') onLog(level, line);
		});
	const library = libraryFor(entry, settings);
	const diarizer =
		entry.type === diarizationType ? await loadDiarizer(entry, settings, library ?? '') : undefined;
	const engine = diarizer?.engine ?? (await loadEngine(entry, settings, library));
	const scheduler = new Scheduler(engine, settings.numThreads);
	const vad =
		library === undefined
			? noVad
			: createVad({ libraryDir: library, modelPath: settings.vadModel || sileroPath });
	return {
		parts: {
			info: engine.info,
			limits: engine.limits,
			scheduler,
			openAudio: decoder({ maxAudioSeconds: settings.maxAudioSeconds }),
			openVad: vad.open,
			openLiveInput,
			openStream: isStreaming(engine) ? (options) => engine.stream(options) : undefined,
			time: new ModelTime({ limits: engine.limits, isStreaming: isStreaming(engine) }),
		},
		...(diarizer && { diarize: diarizer.run }),
		trim: () => addon().trimHeap(),
		async close() {
			await scheduler.close();
			await vad.close();
		},
	};
};

/** The folder of the sherpa-onnx libraries. whisper.cpp models run without it, but then also without VAD. */
function libraryFor({ type }: ModelEntry, { sherpaDir }: RunnerSettings): string | undefined {
	return isSherpaType(type) || type === diarizationType
		? findSherpaLibrary(sherpaDir || undefined)
		: sherpaLibraryIfAny(sherpaDir || undefined);
}

/** Checked here because the libraries report a missing file unclearly, or end the process. */
async function checkFiles({ files }: ModelEntry): Promise<void> {
	for (const [role, file] of Object.entries(files)) {
		try {
			await access(file, constants.R_OK);
			const found = await stat(file);
			// Reading a pipe or a device might block forever or never end.
			if (!found.isFile() && !found.isDirectory()) throw new Error(`${file} is neither a file nor a folder`);
		} catch (cause) {
			const why = reasonOf(cause);
			throw new EarshotError('model_load_failed', `its file \`${role}\` cannot be read: ${why}`, { cause });
		}
	}
}

function loadEngine(
	entry: ModelEntry,
	settings: RunnerSettings,
	libraryDir: string | undefined,
): Promise<Engine> {
	const ggml = {
		id: entry.id,
		path: entry.files.model ?? '',
		slots: slotsOf(settings),
		maxThreads: settings.numThreads,
		useGpu: settings.gpu,
		gpuDevice: settings.gpuDevice,
	};
	if (entry.type === 'parakeet_cpp') return loadParakeet(ggml);
	if (entry.type === 'whisper_cpp') {
		return loadWhisper({
			...ggml,
			...modelOptions(entry.options, settings),
			suppress: numbersOption(entry, 'suppress_tokens', 1),
			alignmentHeads: numbersOption(entry, 'alignment_heads', 2),
			int8Weights: (file, again) => new Int8Store(settings.modelDir).weightsOf(file, again),
			libraryDir,
		});
	}
	if (entry.type === diarizationType)
		throw new EarshotError('internal', 'a diarization model was loaded to transcribe');
	return loadSherpa({
		id: entry.id,
		type: entry.type,
		files: entry.files,
		options: entry.options,
		languages: entry.languages,
		libraryDir: libraryDir ?? '',
		slots: slotsOf(settings),
	});
}

/** Parses an option of numbers, `11 13` (`size` 1), or of pairs, `2.2 3.0` (`size` 2). Returns a flat array. Throws
 * `model_load_failed`. */
function numbersOption({ id, options }: ModelEntry, name: string, size: 1 | 2): number[] {
	const text = String(options[name] ?? '').trim();
	const groups = text === '' ? [] : text.split(/[\s,]+/).map((group) => group.split('.').map(Number));
	if (groups.some((group) => group.length !== size || !group.every((part) => Number.isInteger(part)))) {
		const form = size === 1 ? 'whole numbers' : 'pairs such as `2.2 3.0`';
		throw new EarshotError(
			'model_load_failed',
			`Expected \`${name}\` of the model \`${id}\` to be ${form}, got \`${text}\``,
		);
	}
	return groups.flat();
}
