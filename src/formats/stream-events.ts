/** OpenAI's `transcript.text.*` events. The deltas, concatenated, equal the text of the last event. */

import type { Segment, TokenLogprob, Transcript } from '../speech/transcript.js';
import { round, usage } from './verbose-json.js';

export class StreamEvents {
	readonly #withLogprobs: boolean;
	#sent = '';
	/** Trailing white space, held back until more text follows, since the final text is trimmed. */
	#heldSpace = '';
	#heldLogprobs: TokenLogprob[] = [];

	constructor(options: { readonly logprobs: boolean }) {
		this.#withLogprobs = options.logprobs;
	}

	/** The delta for the segments that have just finished; undefined if they add no text. */
	delta(segments: readonly Segment[]): object | undefined {
		this.#heldLogprobs.push(...segments.flatMap((segment) => segment.logprobs ?? []));
		const raw = this.#heldSpace + segments.map((segment) => segment.text).join('');
		const text = this.#sent === '' ? raw.trimStart() : raw;
		const delta = text.trimEnd();
		this.#heldSpace = text.slice(delta.length);
		return delta === '' ? undefined : this.#send(delta);
	}

	/** A delta with the rest of the text, if any, then the final event. */
	done(transcript: Transcript): object[] {
		const rest = transcript.text.startsWith(this.#sent) ? transcript.text.slice(this.#sent.length) : '';
		const done = {
			type: 'transcript.text.done',
			text: transcript.text,
			...(transcript.language !== null && {
				language: transcript.language,
				languages: [{ code: transcript.language }],
			}),
			duration: round(transcript.duration),
			...(this.#withLogprobs && {
				logprobs: transcript.segments.flatMap((segment) => segment.logprobs ?? []),
			}),
			usage: usage(transcript.duration),
		};
		return rest === '' ? [done] : [this.#send(rest), done];
	}

	#send(delta: string): object {
		const logprobs = this.#heldLogprobs;
		this.#sent += delta;
		this.#heldLogprobs = [];
		return { type: 'transcript.text.delta', delta, ...(this.#withLogprobs && { logprobs }) };
	}
}

/** One server-sent event. */
export function frame(data: object | '[DONE]'): string {
	return `data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`;
}
