/** `earshot transcribe FILE…`: transcribes recordings one after another with one model. */

import { voicesFolder } from '../../core/config/folders.js';
import type { SettingTexts } from '../../core/config/settings.js';
import { asEarshotError, EarshotError, expected } from '../../core/errors.js';
import { fittingLanguage, languageCandidates } from '../../core/languages.js';
import { packageRoot } from '../../core/paths.js';
import type { ModelInfo } from '../../core/speech/model-info.js';
import type { ChannelMode, TranscribeOptions } from '../../core/speech/options.js';
import type { Transcriber } from '../../core/speech/transcriber.js';
import type { Transcript } from '../../core/speech/transcript.js';
import { type FormatName, formats } from '../../formats/formats.js';
import {
	checkSubtitles,
	type GivenSubtitleOptions,
	type SubtitleOptions,
	type SubtitleSpelling,
	wantsWordTimes,
} from '../../formats/subtitles/options.js';
import { openDiarizer, openModel } from '../../library/open-model.js';
import { type DiarizeOptions, fullOptions, type RequestOptions } from '../../library/options.js';
import { readable } from '../../library/source.js';
import { Installer } from '../../models/installer.js';
import { demoNotice } from '../../models/registry/demo.js';
import { canBePulled } from '../../models/registry/pull-plan.js';
import { findEntry, isInstalled, loadRegistry } from '../../models/registry/registry.js';
import { knownVoice } from '../../speakers/known-voice.js';
import { type EnrolledVoice, VoiceStore } from '../../speakers/voice-store.js';
import { withSpeakers } from '../../speakers/with-speakers.js';
import { interruptible } from '../ui/interruptible.js';
import { type Progress, progressOn } from '../ui/progress.js';
import { pullOne } from './install.js';
import { named, outputsOf, writeOutput } from './outputs.js';
import { findRecordings, type RecordingFile } from './recordings.js';
import { withReadable } from './spool.js';

export interface TranscribeCommand {
	readonly flags: SettingTexts;
	readonly model: string | undefined;
	readonly format: FormatName;
	readonly outputDir: string | undefined;
	readonly force: boolean;
	readonly recursive: boolean;
	/** Print the names of recordings where several go to standard output. */
	readonly names: boolean;
	readonly language: string | undefined;
	readonly translate: boolean;
	readonly prompt: string | undefined;
	readonly temperature: string | undefined;
	readonly words: boolean;
	readonly speakers: boolean;
	/** Unparsed, as typed. */
	readonly counts: { readonly [Name in keyof DiarizeOptions]: unknown };
	readonly subtitles: GivenSubtitleOptions;
	readonly channels: ChannelMode;
}

/** Flags are the options' names in kebab case. */
const flagSpelling: SubtitleSpelling = {
	format: '--format',
	name: (option) => `--${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
};

/** Shared by all recordings of a call. */
interface Call {
	readonly command: TranscribeCommand;
	readonly subtitles: SubtitleOptions;
	readonly transcriber: Transcriber;
	/** undefined = no diarization. */
	readonly diarizer: Transcriber | undefined;
	readonly options: TranscribeOptions;
	readonly progress: Progress;
	readonly isAlone: boolean;
}

/** A failed recording is reported on stderr and the next ones continue; the exit code is then 1. */
export async function transcribeFiles(given: readonly string[], command: TranscribeCommand): Promise<void> {
	checkFlags(command);
	const subtitles = checkSubtitles(command.subtitles, command.format, flagSpelling);
	const recordings = await findRecordings(given, command.recursive);
	const outputs = await outputsOf(recordings, command);
	const registry = loadRegistry(command.flags, packageRoot);
	const idOrAlias = command.model ?? registry.defaultModel;
	const entry = findEntry(registry, idOrAlias);
	if (entry.demo && command.model === undefined) process.stderr.write(`${demoNotice()}\n`);
	await interruptible(async (signal) => {
		if (registry.config.autoPull && !isInstalled(entry) && canBePulled(entry, registry))
			await pullOne(new Installer(() => registry), entry.id, {}, signal);
		// In a runner, so that a crash of an engine fails one recording instead of the command.
		const { transcriber, close } = await openModel(registry, idOrAlias, true);
		const diarizer = command.speakers
			? await openDiarizer(registry, true).catch(async (thrown: unknown) => {
					await close();
					throw thrown;
				})
			: undefined;
		try {
			const options = withEnrolled(
				optionsOf(command, subtitles, transcriber.info),
				await new VoiceStore(voicesFolder()).list(),
			);
			const progress = progressOn(process.stderr);
			const call = {
				command,
				subtitles,
				transcriber,
				diarizer: diarizer?.transcriber,
				options,
				progress,
				isAlone: recordings.length === 1,
			};
			for (const [index, recording] of recordings.entries()) {
				if (signal.aborted) break;
				await transcribeFile(recording, outputs[index], call, signal);
			}
		} finally {
			await Promise.all([close(), diarizer?.close()]);
		}
	});
}

/** Adds the voices enrolled on this machine as known voices. */
function withEnrolled(options: TranscribeOptions, voices: readonly EnrolledVoice[]): TranscribeOptions {
	if (!options.speakers) return options;
	return { ...options, speakers: { ...options.speakers, known: voices.map((voice) => knownVoice(voice)) } };
}

function checkFlags({ words, format, temperature }: TranscribeCommand): void {
	if (words && format !== 'verbose_json')
		throw new EarshotError(
			'invalid_request',
			`\`--words\` needs \`--format verbose_json\`, since ${format} has no words with times`,
		);
	if (temperature !== undefined && Number.isNaN(Number(temperature === '' ? 'nothing' : temperature)))
		throw expected('--temperature', 'a number from 0 to 1', temperature);
}

async function transcribeFile(
	recording: RecordingFile,
	output: string | undefined,
	call: Call,
	signal: AbortSignal,
): Promise<void> {
	const { command, progress, isAlone } = call;
	try {
		const transcript = await withReadable(recording.path, signal, (path) =>
			run(recording, path, call, signal),
		);
		// The bar must be removed before the transcript is printed to the same terminal.
		progress.stop();
		for (const { message } of transcript.warnings ?? [])
			process.stderr.write(`earshot: ${recording.name}: ${message}\n`);
		const include = { words: command.words, segments: true, logprobs: false };
		const body = formats[command.format].render(transcript, include, call.subtitles);
		const text = body.endsWith('\n') ? body : `${body}\n`;
		if (output !== undefined) await writeOutput(output, text, command.force);
		else process.stdout.write(isAlone || !command.names ? text : named(text, recording.name, command.format));
	} catch (thrown) {
		const error = asEarshotError(thrown);
		if (error.code === 'cancelled') return;
		progress.stop();
		process.stderr.write(
			`earshot: ${recording.name}: ${error.code === 'internal' ? String(error.cause) : error.message}\n`,
		);
		process.exitCode = 1;
	} finally {
		progress.stop();
	}
}

async function run(
	{ name }: RecordingFile,
	path: string,
	{ transcriber, diarizer, options, progress }: Call,
	signal: AbortSignal,
): Promise<Transcript> {
	const recording = await readable(path);
	const events = diarizer
		? withSpeakers(transcriber, diarizer, recording, options, signal)
		: transcriber.transcribe(recording, options, signal);
	for await (const event of events) {
		if (event.type === 'started') progress.start(name, event.duration);
		else if (event.type === 'segments') progress.update(event.processed);
		else return event.transcript;
	}
	throw new EarshotError('internal', 'the recording ended without a transcript');
}

function optionsOf(
	command: TranscribeCommand,
	subtitles: SubtitleOptions,
	info: ModelInfo,
): TranscribeOptions {
	const options = fullOptions(requestOf(command, info), info);
	if (options.words || !wantsWordTimes(subtitles, info, flagSpelling)) return options;
	return { ...options, words: true, wordsOptional: subtitles.highlightWords !== true };
}

function requestOf(command: TranscribeCommand, info: ModelInfo): RequestOptions {
	const { prompt, temperature, translate, words, channels, speakers } = command;
	const language = languageOf(command.language, info);
	return {
		task: translate ? 'translate' : 'transcribe',
		words,
		channels,
		...(speakers && { diarize: true }),
		...countsOf(command),
		...(language === undefined ? {} : { language }),
		...(prompt === undefined ? {} : { prompt }),
		...(temperature === undefined ? {} : { temperature: Number(temperature) }),
	};
}

function countsOf({ counts, speakers }: TranscribeCommand): DiarizeOptions {
	const names = ['numSpeakers', 'minSpeakers', 'maxSpeakers'] as const;
	const numbers = names.flatMap((name) => {
		const text = counts[name];
		if (text === undefined) return [];
		const flag = `--${name.replace('Speakers', '-speakers')}`;
		if (!speakers)
			throw new EarshotError('invalid_request', `\`${flag}\` needs \`--speakers\``, { param: flag });
		const value = Number(text);
		if (!/^\d{1,3}$/.test(String(text)) || value < 1 || value > 100)
			throw expected(flag, 'a whole number from 1 to 100', text);
		return [[name, value]];
	});
	return Object.fromEntries(numbers) as DiarizeOptions;
}

/** The model's code for a code or an English name; undefined = let it detect. */
export function languageOf(given: string | undefined, { capabilities }: ModelInfo): string | undefined {
	if (given === undefined || given === '' || given.toLowerCase() === 'auto') return undefined;
	const code = fittingLanguage(languageCandidates(given), capabilities.languages);
	if (code !== undefined) return code;
	throw expected('--language', 'an ISO 639-1 code such as `en`, or the English name of a language', given);
}
