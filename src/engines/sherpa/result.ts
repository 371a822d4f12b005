/** Converts the library's result for a clip, and failures that the request caused. */

import type { RawResult } from '../../../binding.js';
import { EarshotError } from '../../core/errors.js';
import type { Clip, ClipResult, ClipSegment } from '../../core/speech/clip.js';
import type { RecognizeOptions } from '../../core/speech/options.js';
import { startsUnspaced } from '../../core/speech/text.js';
import type { Family } from '../../models/types/family.js';
import { hasLogprobs, hasTimes, logprobsOf, textOf, wordsOf } from '../tokens.js';

/** `fallback`: the language if neither the model nor the request gives one. */
export function resultOf(
	raw: RawResult,
	clip: Clip,
	options: RecognizeOptions,
	family: Family,
	fallback: string | null,
): ClipResult {
	const requested = family.languageOption || family.changes ? options.language : null;
	const language = raw.language !== '' ? raw.language : (requested ?? fallback);
	const range = { from: 0, to: raw.tokenEnds.length };
	const text = (raw.text !== '' ? raw.text : textOf(raw, range)).trim();
	if (text === '') return { language, segments: [] };
	const isTimed = family.times && hasTimes(raw, range);
	if (options.words && !isTimed && !options.wordsOptional) {
		// The family has times, but this export does not (Paraformer has both kinds), or they are not real.
		throw new EarshotError(
			'unsupported_value',
			'This model file gives no word timestamps; leave `timestamp_granularities` out or choose another model',
			{
				param: 'timestamp_granularities',
			},
		);
	}
	const clipSeconds = clip.end - clip.start;
	const withLogprobs = family.logprobs && hasLogprobs(raw, range);
	const segment: ClipSegment = {
		...boundsOf(raw, clipSeconds, family.times),
		// The leading space separates it from the segment before, in scripts that use spaces.
		text: startsUnspaced(text) ? text : ` ${text}`,
		tokens: [...raw.tokenIds].filter((id) => id >= 0),
		temperature: 0,
		avgLogprob: withLogprobs ? mean(raw.tokenLogprobs) : null,
		noSpeechProb: null,
		...(options.words && isTimed ? { words: wordsOf(raw, range, clipSeconds) } : {}),
		...(options.logprobs && withLogprobs ? { logprobs: logprobsOf(raw, range) } : {}),
		...(raw.emotion !== '' ? { emotion: raw.emotion } : {}),
		...(raw.event !== '' ? { event: raw.event } : {}),
	};
	return { language, segments: [segment] };
}

/** Start and end of the speech, from the times of the words if there are any; else the whole clip. */
function boundsOf(raw: RawResult, clipSeconds: number, times: boolean): { start: number; end: number } {
	const tokens = raw.tokenEnds.length;
	if (!times || !hasTimes(raw, { from: 0, to: tokens })) return { start: 0, end: clipSeconds };
	const words = wordsOf(raw, { from: 0, to: tokens }, clipSeconds);
	return { start: words[0]?.start ?? 0, end: words.at(-1)?.end ?? clipSeconds };
}

function mean(values: Float32Array): number {
	return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Keywords without tokens in the model's vocabulary are an error of the request. */
export function asRefusal(thrown: unknown): unknown {
	if (!(thrown instanceof EarshotError) || !thrown.message.includes('hotwords cannot be encoded'))
		return thrown;
	return new EarshotError(
		'unsupported_value',
		'Expected `keywords` to be words that the tokens of the model can spell; for a BPE model, ' +
			'set its options `modeling_unit` and `bpe_vocab`',
		{ param: 'keywords', cause: thrown },
	);
}
