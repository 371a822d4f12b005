/** Turns what the library returns for a clip into a result, and its failures into refusals of the request. */

import type { RawResult } from '../../../binding.js';
import { EarshotError } from '../../errors.js';
import type { Family } from '../../models/types/family.js';
import type { Clip, ClipResult, ClipSegment } from '../../speech/clip.js';
import type { RecognizeOptions } from '../../speech/options.js';
import { hasLogprobs, hasTimes, logprobsOf, startsUnspaced, textOf, wordsOf } from '../tokens.js';

/** `usual`: the language of a clip where neither the model nor the request gives one. */
export function resultOf(
	raw: RawResult,
	clip: Clip,
	options: RecognizeOptions,
	family: Family,
	usual: string | null,
): ClipResult {
	const asked = family.languageOption || family.changes ? options.language : null;
	const language = raw.language !== '' ? raw.language : (asked ?? usual);
	const range = { from: 0, to: raw.tokenEnds.length };
	const text = (raw.text !== '' ? raw.text : textOf(raw, range)).trim();
	if (text === '') return { language, segments: [] };
	if (options.words && !(family.times && hasTimes(raw, range))) {
		// The family has times, this export of it (Paraformer's have two forms) does not; or they are made up.
		throw new EarshotError('unsupported_value', 'This model file gives no word timestamps', {
			param: 'timestamp_granularities',
		});
	}
	const clipSeconds = clip.end - clip.start;
	const withLogprobs = family.logprobs && hasLogprobs(raw, range);
	const segment: ClipSegment = {
		...boundsOf(raw, clipSeconds, family.times),
		// The leading space joins it to the segment before, where the script has spaces at all.
		text: startsUnspaced(text) ? text : ` ${text}`,
		tokens: [...raw.tokenIds].filter((id) => id >= 0),
		temperature: 0,
		avgLogprob: withLogprobs ? mean(raw.tokenLogprobs) : null,
		noSpeechProb: null,
		...(options.words ? { words: wordsOf(raw, range, clipSeconds) } : {}),
		...(options.logprobs && withLogprobs ? { logprobs: logprobsOf(raw, range) } : {}),
		...(raw.emotion !== '' ? { emotion: raw.emotion } : {}),
		...(raw.event !== '' ? { event: raw.event } : {}),
	};
	return { language, segments: [segment] };
}

/** The stretch of the clip that was spoken, as far as the tokens tell; else the whole clip. */
function boundsOf(raw: RawResult, clipSeconds: number, times: boolean): { start: number; end: number } {
	const tokens = raw.tokenEnds.length;
	if (!times || !hasTimes(raw, { from: 0, to: tokens })) return { start: 0, end: clipSeconds };
	const words = wordsOf(raw, { from: 0, to: tokens }, clipSeconds);
	return { start: words[0]?.start ?? 0, end: words.at(-1)?.end ?? clipSeconds };
}

function mean(values: Float32Array): number {
	return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Words that the model has no tokens for are the request's fault. */
export function asRefusal(thrown: unknown): unknown {
	if (!(thrown instanceof EarshotError) || !thrown.message.includes('hotwords cannot be written'))
		return thrown;
	return new EarshotError(
		'unsupported_value',
		'Expected `keywords` to be words that the tokens of the model can write; if it is a BPE model, ' +
			'its options `modeling_unit` and `bpe_vocab` must be set',
		{ param: 'keywords', cause: thrown },
	);
}
