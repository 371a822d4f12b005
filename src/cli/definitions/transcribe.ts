/** Defines `earshot transcribe`. */

import { type Command, Option } from 'commander';
import { type SettingName, settings } from '../../core/config/settings.js';
import { EarshotError } from '../../core/errors.js';
import { channelModes } from '../../core/speech/options.js';
import { formatNames } from '../../formats/formats.js';
import { subtitlePresets } from '../../formats/subtitles/options.js';
import { flagsOf, modelSettings, settingOptions, text } from './options.js';

/** The fields of a request for a server, which validates them. */
function fieldsOf(options: Record<string, unknown>): Readonly<Record<string, string | undefined>> {
	const flag = (given: unknown): string | undefined => (given === true ? 'true' : undefined);
	return {
		model: text(options.model),
		response_format: text(options.format),
		language: text(options.language),
		task: options.translate === true ? 'translate' : undefined,
		prompt: text(options.prompt),
		temperature: text(options.temperature),
		'timestamp_granularities[]': options.words === true ? 'word' : undefined,
		diarize: flag(options.speakers),
		num_speakers: text(options.numSpeakers),
		min_speakers: text(options.minSpeakers),
		max_speakers: text(options.maxSpeakers),
		subtitles: text(options.subtitles),
		max_line_width: text(options.maxLineWidth),
		max_line_count: text(options.maxLineCount),
		max_words_per_line: text(options.maxWordsPerLine),
		highlight_words: flag(options.highlightWords),
		channels: text(options.channels),
	};
}

/** What has no meaning where the server transcribes, and where this command does. */
const notInBackground = ['outputDir', 'force', 'recursive', ...modelSettings, 'autoPull'] as const;
const flagNames: Readonly<Record<string, string>> = {
	...{ outputDir: 'output-dir', force: 'force', recursive: 'recursive', addr: 'addr' },
};
const inBackground = ['addr', 'apiKeys', 'tlsCert'] as const;

/** Nothing is given that would have no effect. Throws `invalid_request`. */
function checkPlace(options: Record<string, unknown>): void {
	const given: Record<string, unknown> = { ...options, ...flagsOf(options) };
	const names = options.background === true ? notInBackground : inBackground;
	const idle = names.find((name) => name !== 'config' && given[name] !== undefined);
	if (idle === undefined) return;
	const flag = `--${flagNames[idle] ?? settings[idle as SettingName].flag}`;
	throw new EarshotError(
		'invalid_request',
		options.background === true
			? `\`${flag}\` has no effect with \`--background\`: the server transcribes; for what it made, \`earshot jobs wait JOB\``
			: `\`${flag}\` needs \`--background\``,
		{ param: flag },
	);
}

export function addTranscribe(earshot: Command): void {
	settingOptions(
		earshot
			.command('transcribe')
			.description('transcribe files, to standard output or to a folder')
			.argument('<file...>', 'recordings in any container, folders with --recursive, or - for standard input')
			.option('-m, --model <ID>', 'model in models.yaml (default: the default model)')
			.addOption(new Option('-f, --format <FORMAT>', 'output format').choices(formatNames).default('text'))
			.option('-o, --output-dir <DIR>', 'write one file per recording to this folder')
			.option('--force', 'overwrite transcripts that are in that folder')
			.option('-r, --recursive', 'transcribe the recordings in folders and in those below')
			.option('--no-names', 'print no names before the transcripts of several recordings')
			.option(
				'-l, --language <NAME>',
				'spoken language: en, english, … (default: detected, if the model can)',
			)
			.option('--translate', 'translate to English')
			.option('--prompt <TEXT>', 'text before the recording, as a hint for style and names')
			.option('--temperature <T>', 'sampling temperature, 0 to 1')
			.option('--words', 'with verbose_json: include word timestamps')
			.option('--speakers', 'identify speakers; needs the models of `earshot pull diarization`')
			.option('--num-speakers <N>', 'with --speakers: exact number of speakers')
			.option('--min-speakers <N>', 'with --speakers: minimum number of speakers')
			.option('--max-speakers <N>', 'with --speakers: maximum number of speakers')
			.addOption(
				new Option(
					'--subtitles <PRESET>',
					'with srt and vtt: cut as television does, 2 lines of 42 columns, at most 7 s',
				).choices(subtitlePresets),
			)
			.option('--max-line-width <N>', 'with srt and vtt: columns of a line')
			.option(
				'--max-line-count <N>',
				'with srt and vtt: lines of a cue; needs --max-line-width, --max-words-per-line or --subtitles',
			)
			.option('--max-words-per-line <N>', 'with srt and vtt: words of a line')
			.option('--highlight-words', 'with srt and vtt: underline each word as it is spoken')
			.addOption(
				new Option('--channels <MODE>', 'transcribe all channels as one, or each by itself')
					.choices(channelModes)
					.default('mix'),
			)
			.option('--background', 'let the running server do it: prints the ids of its jobs')
			.option('--addr <HOST:PORT>', 'with --background: address and port of the server'),
		[...modelSettings, 'autoPull', 'apiKeys', 'tlsCert'],
	).action(async (files: string[], options: Record<string, unknown>) => {
		checkPlace(options);
		if (options.background === true) {
			const { transcribeInBackground } = await import('../commands/jobs.js');
			await transcribeInBackground(files, fieldsOf(options), flagsOf(options));
			return;
		}
		const { transcribeFiles } = await import('../commands/transcribe.js');
		await transcribeFiles(files, {
			flags: flagsOf(options),
			model: text(options.model),
			format: formatNames.find((name) => name === options.format) ?? 'text',
			outputDir: text(options.outputDir),
			force: options.force === true,
			recursive: options.recursive === true,
			names: options.names !== false,
			language: text(options.language),
			translate: options.translate === true,
			prompt: text(options.prompt),
			temperature: text(options.temperature),
			words: options.words === true,
			speakers: options.speakers === true || options.format === 'diarized_json',
			counts: options,
			subtitles: options,
			channels: channelModes.find((mode) => mode === options.channels) ?? 'mix',
		});
	});
}
