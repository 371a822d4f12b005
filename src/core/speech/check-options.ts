/** Whether a model supports the options of a request. One check for the server, the command and the library. Pure. */

import { EarshotError, expected } from '../errors.js';
import { type Capabilities, diarizationType, type ModelInfo } from './model-info.js';
import { type ChunkingOptions, channelModes, type TranscribeOptions } from './options.js';

/**
 * Returns the options unchanged. Throws if the model does not support one that would change the result, naming the
 * field: `unsupported_value` where another model may support it, `invalid_request` where none can.
 */
export function checkOptions(
	options: TranscribeOptions,
	{ id, type, capabilities }: ModelInfo,
): TranscribeOptions {
	if (type === diarizationType) throw notTranscribing(id);
	const refuse = (param: string, what: string) =>
		new EarshotError(
			'unsupported_value',
			`The model \`${id}\` ${what}; leave \`${param}\` out or choose another model.`,
			{ param },
		);

	if (!(options.temperature >= 0 && options.temperature <= 1))
		throw expected('temperature', 'a number from 0 to 1', options.temperature);
	checkTexts(options);
	checkChunking(options.chunking);
	if (options.channels !== undefined && !channelModes.includes(options.channels))
		throw expected('channels', '`mix` or `split`', options.channels);
	checkLanguages(options, id, capabilities);
	if (options.task === 'translate' && !capabilities.translates) {
		throw new EarshotError(
			'unsupported_value',
			`The model \`${id}\` cannot translate; choose a multilingual Whisper model.`,
			{ param: 'model' },
		);
	}
	if (options.words && !capabilities.words)
		throw refuse('timestamp_granularities', 'gives no word timestamps');
	if (options.logprobs && !capabilities.logprobs) throw refuse('include', 'gives no log-probabilities');
	if (options.prompt !== '' && !capabilities.prompt) throw refuse('prompt', 'does not support a prompt');
	if (options.keywords.length > 0 && !capabilities.keywords)
		throw refuse('keywords', 'does not support keywords');
	if (options.temperature !== 0 && !capabilities.temperature)
		throw refuse('temperature', 'does not support a temperature');
	const [searching] = Object.keys(options.decoding ?? {});
	if (searching !== undefined && !capabilities.decoding)
		throw refuse(searching, 'has no options of decoding');
	return options;
}

function notTranscribing(id: string): EarshotError {
	return new EarshotError(
		'unsupported_value',
		`The model \`${id}\` only diarizes and cannot transcribe; choose another as \`model\`, and send \`diarize=true\` to identify speakers with it`,
		{ param: 'model' },
	);
}

/** C libraries would truncate the text at a NUL. */
function checkTexts({ prompt, keywords }: TranscribeOptions): void {
	if (prompt.includes('\0')) throw expected('prompt', 'text without NUL characters', prompt);
	const broken = keywords.find((keyword) => keyword.includes('\0'));
	if (broken !== undefined) throw expected('keywords', 'texts without NUL characters', broken);
}

function checkLanguages(
	{ language, languages = [] }: TranscribeOptions,
	id: string,
	{ languages: known, choosesAmongLanguages }: Capabilities,
): void {
	if (language === null && languages.length > 1 && !choosesAmongLanguages) {
		throw new EarshotError(
			'unsupported_value',
			`The model \`${id}\` cannot choose among several languages: send one as \`language\`, or none to let it detect`,
			{ param: 'languages' },
		);
	}
	const check = (param: string, code: string) => {
		if (known === null || known.includes(code)) return;
		throw new EarshotError(
			'unsupported_value',
			`Expected \`${param}\` to be one of the languages of the model \`${id}\` (${known.join(', ')}), got \`${code}\``,
			{ param },
		);
	};
	if (language !== null) check('language', language);
	else for (const code of languages) check('languages', code);
}

/** Allowed range of each chunking option. At a threshold of 0 everything is speech. */
export const chunkingRanges = {
	threshold: { name: 'threshold', min: 0, max: 1 },
	prefixPaddingMs: { name: 'prefix_padding_ms', min: 0, max: 5000 },
	silenceDurationMs: { name: 'silence_duration_ms', min: 0, max: 10_000 },
} as const satisfies Record<keyof ChunkingOptions, { name: string; min: number; max: number }>;

function checkChunking(chunking: ChunkingOptions): void {
	for (const part of Object.keys(chunkingRanges) as (keyof ChunkingOptions)[]) {
		const { name, min, max } = chunkingRanges[part];
		const value = chunking[part];
		if (!(value >= min && value <= max)) {
			throw expected(`chunking_strategy[${name}]`, `a number from ${min} to ${max}`, value);
		}
	}
}
