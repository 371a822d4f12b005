/** What a request asks to see in a response beside the text. */

export interface Include {
	/** Times of words: `verbose_json`. */
	readonly words: boolean;
	/** Segments with their times and figures: `verbose_json`. */
	readonly segments: boolean;
	/** Log-probabilities of tokens: `json`. */
	readonly logprobs: boolean;
}
