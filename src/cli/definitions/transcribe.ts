/** Defines `earshot transcribe` and `earshot listen`. */

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
			subtitles: options,
			channels: channelModes.find((mode) => mode === options.channels) ?? 'mix',
		});
	});
}

export function addListen(earshot: Command): void {
	settingOptions(
		earshot
			.command('listen')
			.description('transcribe while somebody speaks into the microphone, until Ctrl-C')
			.argument(
				'[source]',
				'- for PCM on standard input (16 bits, little-endian, mono) instead of the microphone',
			)
			.option('-m, --model <ID>', 'model in models.yaml (default: the default model)')
			.option(
				'-l, --language <NAME>',
				'spoken language: en, english, … (default: detected, if the model can)',
			)
			.option('--prompt <TEXT>', 'text before each turn, as a hint for style and names')
			.option('--partials', 'print words while a turn goes on, also with models that hear whole turns')
			.option('--json', 'print events, one JSON object on a line')
			.option('--sample-rate <HZ>', 'of the audio: a multiple of 25 from 8000 to 96000', '16000')
			.option('--device <NAME>', "microphone, as arecord, sox or ffmpeg call it (default: the system's)")
			.option(
				'--url <URL>',
				'transcribe in a running server instead of here: http://HOST:PORT or unix:/path',
			),
		[...modelSettings, 'apiKeys', 'tlsCert'],
	).action(async (source: string | undefined, options: Record<string, unknown>) => {
		const { listenAndPrint } = await import('../commands/listen.js');
		await listenAndPrint(source, {
			flags: flagsOf(options),
			model: text(options.model),
			language: text(options.language),
			prompt: text(options.prompt),
			partials: options.partials === true,
			json: options.json === true,
			sampleRate: Number(options.sampleRate),
			device: text(options.device),
			url: text(options.url),
		});
	});
}
