/** The parts of a response that a request can include in addition to the text. */

export interface Include {
	/** Word timestamps; for `verbose_json`. */
	readonly words: boolean;
	/** Segments; for `verbose_json`. */
	readonly segments: boolean;
	/** Log-probabilities of tokens; for `json`. */
	readonly logprobs: boolean;
}
