import { joinText, type Segment, type Transcript } from '../../src/core/speech/transcript.js';

export function segment(given: Partial<Segment> & { readonly text: string }): Segment {
	return {
		id: 0,
		start: 0,
		end: 1,
		seek: 0,
		tokens: [],
		temperature: 0,
		avgLogprob: null,
		compressionRatio: 1,
		noSpeechProb: null,
		...given,
	};
}

/** Numbers the segments and joins their texts. */
export function transcript(segments: readonly Segment[], given: Partial<Transcript> = {}): Transcript {
	return {
		task: 'transcribe',
		model: 'tiny',
		language: 'en',
		duration: segments.at(-1)?.end ?? 1,
		text: joinText(segments),
		segments: segments.map((each, id) => ({ ...each, id })),
		...given,
	};
}

/** Like a result of Whisper: every field computed, words with times. */
export const beach = transcript(
	[
		segment({
			text: ' The beach was a popular spot.',
			start: 0,
			end: 3.319_999_933_242_798,
			tokens: [50_364, 440, 7534],
			avgLogprob: -0.286_093_205_213_546_75,
			compressionRatio: 1.235_294_103_622_436_5,
			noSpeechProb: 0.008_985_134_772_956_371,
			words: [
				{ word: 'The', start: 0, end: 0.239_999_994_635_581_97, probability: 0.9 },
				{ word: 'beach', start: 0.239_999_994_635_581_97, end: 0.56 },
			],
			logprobs: [{ token: ' The', logprob: -0.1, bytes: [32, 84, 104, 101] }],
		}),
		segment({
			text: ' People swam & played.',
			start: 3.32,
			end: 8.47,
			seek: 0,
			tokens: [3432],
			temperature: 0.2,
			avgLogprob: -0.5,
			compressionRatio: 1,
			noSpeechProb: 0,
			words: [{ word: 'People', start: 3.32, end: 3.8 }],
			logprobs: [{ token: ' People', logprob: -0.2, bytes: [32] }],
		}),
	],
	{ duration: 8.470_000_267_028_809 },
);
