/** Defines `earshot transcribe`. */

import { type Command, Option } from 'commander';
import { formatNames } from '../../formats/formats.js';
import { subtitlePresets } from '../../formats/subtitles/options.js';
import { channelModes } from '../../speech/options.js';
import { flagsOf, modelSettings, settingOptions, text } from './options.js';

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
			.option('--speakers', 'tell who speaks; needs the models of `earshot pull diarization`')
			.option('--num-speakers <N>', 'with --speakers: how many people speak')
			.option('--min-speakers <N>', 'with --speakers: at least so many')
			.option('--max-speakers <N>', 'with --speakers: at most so many')
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
			),
		[...modelSettings, 'autoPull'],
	).action(async (files: string[], options: Record<string, unknown>) => {
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
