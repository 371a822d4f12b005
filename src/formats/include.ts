/** What a request asks to see in a response beside the text. */

export interface Include {
	readonly words: boolean;
	readonly segments: boolean;
	readonly logprobs: boolean;
}
