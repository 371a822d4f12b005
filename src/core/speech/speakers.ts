/** Who speaks when in a recording, and whose voices are known. */

import type { Recording } from './recording.js';

/** One speaker's turn; turns of different speakers may overlap. */
export interface SpeakerTurn {
	/** Seconds of the recording. */
	readonly start: number;
	/** `start` or later. */
	readonly end: number;
	/** From 0, in order of appearance. */
	readonly speaker: number;
}

/** A person whose voice is known: from a reference recording, or from a stored voice. */
export interface KnownVoice {
	readonly name: string;
	readonly reference: Recording | { readonly voice: readonly number[]; readonly fingerprint: string };
	/** The request field that named it, for error messages; absent = a voice that cannot be compared is ignored. */
	readonly param?: string;
}

export interface SpeakerOptions {
	/** Minimum and maximum number of speakers, 1 or more; absent = detected. */
	readonly min?: number;
	readonly max?: number;
	readonly known: readonly KnownVoice[];
}

export interface FoundSpeaker {
	/** Name of the matching known voice; null if none matches. */
	readonly name: string | null;
	/** Voice embedding, of length 1; null if the speaker said too little. */
	readonly voice: readonly number[] | null;
}

/** The result of diarization. */
export interface FoundSpeakers {
	/** In order of their start. */
	readonly turns: readonly SpeakerTurn[];
	readonly speakers: readonly FoundSpeaker[];
	/** Fingerprint of the embedding network: voices of different networks cannot be compared. */
	readonly fingerprint: string;
}

const maxLength = 100;
/**
 * Line breaks, control and format characters, except the joiners that Persian, Indic scripts and emoji need: a name is
 * shown on one line, and must not be mistaken for another.
 */
const hidden = /(?![\u200C\u200D])[\p{C}\p{Zl}\p{Zp}]/u;
const visible = /[\p{L}\p{N}\p{P}\p{S}]/u;

/** The rule for names, as error messages state it. */
export const speakerNameRule = `a text of 1 to ${maxLength} characters without control characters`;

/** The name, trimmed and in Unicode's composed form, so that equal-looking names are equal; undefined if it is
 * invalid. */
export function speakerNameOf(given: string): string | undefined {
	const name = given.trim().normalize('NFC');
	return visible.test(name) && name.length <= maxLength && !hidden.test(name) ? name : undefined;
}
