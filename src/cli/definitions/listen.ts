/** Defines `earshot listen`. */

import type { Command } from 'commander';
import { liveRates } from '../../core/speech/pcm.js';
import { flagsOf, modelSettings, settingOptions, text } from './options.js';

export function addListen(earshot: Command): void {
	settingOptions(
		earshot
			.command('listen')
			.description('transcribe the microphone live, until Ctrl-C')
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
			.option('--partials', 'print words during a turn also with models that transcribe whole turns')
			.option('--json', 'print events, one JSON object on a line')
			.option('--sample-rate <HZ>', `of the audio: ${liveRates}`, '16000')
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
