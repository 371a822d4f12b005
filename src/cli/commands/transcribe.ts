/** `earshot transcribe FILE…`: transcribes recordings one after another with one model. */

import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { SettingName } from '../../config/settings.js';
import { asEarshotError, EarshotError, expected } from '../../errors.js';
import { type FormatName, formats } from '../../formats/formats.js';
import {
	checkSubtitles,
	type GivenSubtitleOptions,
	type SubtitleOptions,
	type SubtitleSpelling,
	wantsWordTimes,
} from '../../formats/subtitles/options.js';
import { fullOptions, openModel, type RequestOptions, readable } from '../../library.js';
import { Installer } from '../../models/installer.js';
import { demoNotice } from '../../models/registry/demo.js';
import { canBePulled, findEntry, isInstalled, loadRegistry } from '../../models/registry/registry.js';
import { packageRoot } from '../../paths.js';
import type { ModelInfo } from '../../speech/model-info.js';
import type { TranscribeOptions } from '../../speech/options.js';
import type { Transcriber } from '../../speech/transcriber.js';
import type { Transcript } from '../../speech/transcript.js';
import { interruptible } from '../ui/interruptible.js';
import { type Progress, progressOn } from '../ui/progress.js';
import { pullOne } from './install.js';

export interface TranscribeCommand {
	readonly flags: Partial<Record<SettingName, string>>;
	readonly model: string | undefined;
	readonly format: FormatName;
	readonly outputDir: string | undefined;
	readonly language: string | undefined;
	readonly translate: boolean;
	readonly prompt: string | undefined;
	readonly temperature: string | undefined;
	readonly words: boolean;
	readonly subtitles: GivenSubtitleOptions;
}

interface CheckedCommand extends TranscribeCommand {
	readonly subtitles: SubtitleOptions;
}

/** Flags are the names of the options, in kebab case. */
const flagSpelling: SubtitleSpelling = {
	format: '--format',
	name: (option) => `--${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
};

const extensions = {
	text: '.txt',
	json: '.json',
	verbose_json: '.json',
	srt: '.srt',
	vtt: '.vtt',
	tsv: '.tsv',
	lrc: '.lrc',
	markdown: '.md',
} as const satisfies Record<FormatName, string>;

/** A failed recording is reported on stderr and the next ones continue; the exit code is then 1. */
export async function transcribeFiles(files: readonly string[], command: TranscribeCommand): Promise<void> {
	const checked = { ...command, subtitles: checkSubtitles(command.subtitles, command.format, flagSpelling) };
	const outputs = outputsOf(files, command);
	const registry = loadRegistry(command.flags, packageRoot);
	const idOrAlias = command.model ?? registry.defaultModel;
	const entry = findEntry(registry, idOrAlias);
	if (entry.demo && command.model === undefined) process.stderr.write(`${demoNotice}\n`);
	await interruptible(async (signal) => {
		if (registry.config.autoPull && !isInstalled(entry) && canBePulled(entry, registry.catalog))
			await pullOne(new Installer(() => registry), entry.id, {}, signal);
		// In a runner, so that a crash of an engine fails one recording with an error message.
		const { transcriber, close } = await openModel(registry, idOrAlias, true);
		const progress = progressOn(process.stderr);
		try {
			for (const [index, file] of files.entries()) {
				if (signal.aborted) break;
				await transcribeFile(file, outputs[index], transcriber, checked, progress, signal);
			}
		} finally {
			await close();
		}
	});
}

async function transcribeFile(
	file: string,
	output: string | undefined,
	transcriber: Transcriber,
	command: CheckedCommand,
	progress: Progress,
	signal: AbortSignal,
): Promise<void> {
	try {
		const transcript = await run(file, transcriber, command, progress, signal);
		// Before the transcript is printed, since both may go to the same terminal.
		progress.stop();
		const include = { words: command.words, segments: true, logprobs: false };
		const body = formats[command.format].render(transcript, include, command.subtitles);
		const text = body.endsWith('\n') ? body : `${body}\n`;
		if (output === undefined) process.stdout.write(text);
		else writeFileSync(output, text);
	} catch (thrown) {
		const error = asEarshotError(thrown);
		if (error.code === 'cancelled') return;
		process.stderr.write(
			`earshot: ${file}: ${error.code === 'internal' ? String(error.cause) : error.message}\n`,
		);
		process.exitCode = 1;
	} finally {
		progress.stop();
	}
}

async function run(
	file: string,
	transcriber: Transcriber,
	command: CheckedCommand,
	progress: Progress,
	signal: AbortSignal,
): Promise<Transcript> {
	const recording = await readable(path.resolve(file));
	for await (const event of transcriber.transcribe(recording, optionsOf(command, transcriber.info), signal)) {
		if (event.type === 'started') progress.start(path.basename(file), event.duration);
		else if (event.type === 'segments') progress.update(event.processed);
		else return event.transcript;
	}
	throw new EarshotError('internal', 'the recording ended without a transcript');
}

function optionsOf(command: CheckedCommand, info: ModelInfo): TranscribeOptions {
	const options = fullOptions(requestOf(command), info);
	if (options.words || !wantsWordTimes(command.subtitles, info, flagSpelling)) return options;
	return { ...options, words: true, wordsOptional: command.subtitles.highlightWords !== true };
}

function requestOf(command: TranscribeCommand): RequestOptions {
	const { language, prompt, temperature, translate, words } = command;
	if (temperature !== undefined && Number.isNaN(Number.parseFloat(temperature))) {
		throw expected('--temperature', 'a number from 0 to 1', temperature);
	}
	return {
		task: translate ? 'translate' : 'transcribe',
		words,
		...(language === undefined ? {} : { language }),
		...(prompt === undefined ? {} : { prompt }),
		...(temperature === undefined ? {} : { temperature: Number(temperature) }),
	};
}

/** One path per recording; empty where all go to standard output. Throws `invalid_request` for equal paths. */
function outputsOf(files: readonly string[], { outputDir, format }: TranscribeCommand): readonly string[] {
	if (outputDir === undefined) return [];
	mkdirSync(outputDir, { recursive: true });
	const outputs = files.map((file) => path.join(outputDir, `${path.parse(file).name}${extensions[format]}`));
	const twice = outputs.find((output, index) => outputs.indexOf(output) !== index);
	if (twice !== undefined) {
		throw new EarshotError(
			'invalid_request',
			`two of the recordings would be written to ${twice}; transcribe them to different folders`,
		);
	}
	const overwritten = files.find((file, index) => path.resolve(file) === path.resolve(outputs[index] ?? ''));
	if (overwritten !== undefined)
		throw new EarshotError('invalid_request', `${overwritten} would be overwritten by its own transcript`);
	return outputs;
}
