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

/** A person whose voice is known: from a recording of nothing else, or as it was kept. */
export interface KnownVoice {
	readonly name: string;
	readonly reference: Recording | { readonly voice: readonly number[]; readonly fingerprint: string };
	/** The field of a request that it came in, for messages; absent = it is left out where it cannot be compared. */
	readonly param?: string;
}

export interface SpeakerOptions {
	/** At least and at most as many speakers, 1 or more; absent = as many as there are. */
	readonly least?: number;
	readonly most?: number;
	readonly known: readonly KnownVoice[];
}

export interface FoundSpeaker {
	/** Of the known voices; null = none of them. */
	readonly name: string | null;
	/** What the voice is like, of length 1; null where too little was heard of it. */
	readonly voice: readonly number[] | null;
}

/** What diarization says of a recording. */
export interface FoundSpeakers {
	/** In order of their start. */
	readonly turns: readonly SpeakerTurn[];
	readonly speakers: readonly FoundSpeaker[];
	/** Of the network that the voices are of: those of another cannot be compared with them. */
	readonly fingerprint: string;
}

const mostLength = 100;
/**
 * Line breaks, control and format characters, but for the joiners that Persian, Indic scripts and emoji are written with:
 * a name is shown in one line, and looks like nothing else.
 */
const hidden = /(?![\u200C\u200D])[\p{C}\p{Zl}\p{Zp}]/u;
const visible = /[\p{L}\p{N}\p{P}\p{S}]/u;

/** What a name must be, in words. */
export const speakerNameRule = `a text of 1 to ${mostLength} characters without control characters`;

/** Without white space around it, and composed, so that what looks the same is the same; undefined if it is no name. */
export function speakerNameOf(given: string): string | undefined {
	const name = given.trim().normalize('NFC');
	return visible.test(name) && name.length <= mostLength && !hidden.test(name) ? name : undefined;
}
