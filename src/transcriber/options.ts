/** Whether a model can do what a request asks. One check for the server, the command and the library. Pure. */

import type { Capabilities, ModelFacts } from '../engines/engine.js';
import { EarshotError, expected } from '../errors.js';
import type { TranscribeOptions } from './transcriber.js';

/**
 * The options as they will be run. What would change the result and the model cannot do is refused, each
 * naming its field: `unsupported_value` where another model could, `invalid_request` where none can.
 */
export function checkOptions(
	options: TranscribeOptions,
	{ id, capabilities }: ModelFacts,
): TranscribeOptions {
	const refuse = (param: string, what: string) =>
		new EarshotError(
			'unsupported_value',
			`The model \`${id}\` ${what}; leave \`${param}\` out or choose another model.`,
			{ param },
		);

	if (!(options.temperature >= 0 && options.temperature <= 1))
		throw expected('temperature', 'a number from 0 to 1', options.temperature);
	checkChunking(options.chunking);
	checkLanguage(options.language, id, capabilities);
	if (options.task === 'translate' && !capabilities.translates) {
		throw new EarshotError(
			'unsupported_value',
			`The model \`${id}\` cannot translate; choose a multilingual Whisper model.`,
			{ param: 'model' },
		);
	}
	if (options.words && !capabilities.words)
		throw refuse('timestamp_granularities', 'gives no times for words');
	if (options.logprobs && !capabilities.logprobs) throw refuse('include', 'gives no log-probabilities');
	if (options.prompt !== '' && !capabilities.prompt) throw refuse('prompt', 'takes no prompt');
	if (options.keywords.length > 0 && !capabilities.keywords) throw refuse('keywords', 'takes no keywords');
	if (options.temperature !== 0 && !capabilities.temperature)
		throw refuse('temperature', 'has no temperature');
	return options;
}

function checkLanguage(language: string | null, id: string, { languages }: Capabilities): void {
	if (language === null || languages === null || languages.includes(language)) return;
	throw new EarshotError(
		'unsupported_value',
		`Expected \`language\` to be one of the languages of the model \`${id}\` (${languages.join(', ')}), got \`${language}\``,
		{ param: 'language' },
	);
}

function checkChunking({
	threshold,
	prefixPaddingMs,
	silenceDurationMs,
}: TranscribeOptions['chunking']): void {
	if (!(threshold >= 0.01 && threshold <= 0.99))
		throw expected('chunking_strategy[threshold]', 'a number from 0.01 to 0.99', threshold);
	if (!(prefixPaddingMs >= 0 && prefixPaddingMs <= 5000)) {
		throw expected('chunking_strategy[prefix_padding_ms]', 'a number from 0 to 5000', prefixPaddingMs);
	}
	if (!(silenceDurationMs >= 50 && silenceDurationMs <= 10_000)) {
		throw expected('chunking_strategy[silence_duration_ms]', 'a number from 50 to 10000', silenceDurationMs);
	}
}
