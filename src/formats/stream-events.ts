/**
 * OpenAI's `transcript.text.*` events. The deltas, concatenated, equal the text of the last event. With `verbose_json`
 * there is also an event for each segment, and the last event has that format's fields for the whole transcript.
 */

import { labelOf, type Segment, type TokenLogprob, type Transcript } from '../core/speech/transcript.js';
import { diarizedSegment, segmentId } from './diarized-json.js';
import type { FormatName } from './formats.js';
import type { Include } from './include.js';
import {
	round,
	spokenLanguages,
	tokenUsage,
	verboseJson,
	verboseSegment,
	verboseWords,
	warningsField,
} from './verbose-json.js';

export class StreamEvents {
	readonly #isVerbose: boolean;
	readonly #isDiarized: boolean;
	readonly #include: Include;
	#sent = '';
	/** Trailing white space, held back until more text follows, since the final text is trimmed. */
	#heldSpace = '';
	#heldLogprobs: TokenLogprob[] = [];
	/** The speaker or channel of the current line. */
	#label: string | undefined;

	constructor(format: FormatName, include: Include) {
		this.#isVerbose = format === 'verbose_json';
		this.#isDiarized = format === 'diarized_json';
		this.#include = include;
	}

	/** The events for the segments that have just finished. */
	next(segments: readonly Segment[]): object[] {
		if (this.#isDiarized)
			return segments.filter(({ text }) => text.trim() !== '').map((segment) => diarizedSegment(segment));
		this.#heldLogprobs.push(...segments.flatMap((segment) => segment.logprobs ?? []));
		let raw = this.#heldSpace;
		for (const segment of segments) raw = this.#added(raw, segment);
		const text = this.#sent === '' ? raw.trimStart() : raw;
		const delta = text.trimEnd();
		this.#heldSpace = text.slice(delta.length);
		return [
			...(delta === '' ? [] : [this.#delta(delta)]),
			...(this.#isVerbose ? segments.map((segment) => this.#segment(segment)) : []),
		];
	}

	/** A delta with the rest of the text, if any, then the final event. */
	done(transcript: Transcript): object[] {
		const isPart = transcript.text.startsWith(this.#sent) && !this.#isDiarized;
		const rest = isPart ? transcript.text.slice(this.#sent.length) : '';
		const done = {
			type: 'transcript.text.done',
			text: transcript.text,
			...(this.#isVerbose ? this.#whole(transcript) : summaryOf(transcript)),
			...spokenLanguages(transcript),
			...(this.#include.logprobs && {
				logprobs: transcript.segments.flatMap((segment) => segment.logprobs ?? []),
			}),
			usage: tokenUsage(transcript),
			...warningsField(transcript),
		};
		return rest === '' ? [done] : [this.#delta(rest), done];
	}

	/** The delta for a segment: on a new line after the speaker's name if the speaker changes, as in the whole text. */
	#added(text: string, segment: Segment): string {
		const label = labelOf(segment);
		if (label === undefined || label === this.#label || segment.text.trim() === '')
			return text + segment.text;
		const isFirst = this.#label === undefined;
		this.#label = label;
		return `${text.trimEnd()}${isFirst ? '' : '\n'}${label}: ${segment.text.trimStart()}`;
	}

	#delta(delta: string): object {
		const logprobs = this.#heldLogprobs;
		this.#sent += delta;
		this.#heldLogprobs = [];
		return { type: 'transcript.text.delta', delta, ...(this.#include.logprobs && { logprobs }) };
	}

	/** OpenAI's segment event, which has a string as id and always a speaker. */
	#segment(segment: Segment): object {
		return {
			type: 'transcript.text.segment',
			speaker: '',
			...verboseSegment(segment),
			id: segmentId(segment.id),
			...(this.#include.words && { words: verboseWords(segment) }),
		};
	}

	/** The fields of `verbose_json` without the segments, which have been sent. */
	#whole(transcript: Transcript): object {
		const all = { ...this.#include, segments: true, words: false };
		const { segments: _, not_computed: missing = [], ...whole } = verboseJson(transcript, all);
		const hasSpeakers = transcript.segments.some(({ speaker }) => speaker !== undefined);
		return { ...whole, not_computed: hasSpeakers ? missing : [...missing, 'speaker'] };
	}
}

function summaryOf({ language, duration }: Transcript): object {
	return { ...(language !== null && { language }), duration: round(duration) };
}

/** One server-sent event. */
export function frame(data: object | '[DONE]'): string {
	return `data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`;
}
