/** Matches the speakers of a recording with known voices. Pure. */

import { dot } from './linkage.js';

export interface NamedVoice {
	readonly name: string;
	/** Embedding, of length 1. */
	readonly voice: Float32Array;
}

/**
 * Cosine from which on two voices are the same person. Measured on 35 people and 161 wrong pairs, references of 2 and 4
 * s: the lowest right one is .57, the highest wrong one .505. A property of the embedding network (CAM++).
 */
export const sameVoiceFrom = 0.55;

/**
 * Cosine from which on a further speaker gets a name already given: the same person, whom the clustering split in two.
 * It is higher than for the first speaker, since two people whom clustering separates may both be close to one known
 * voice: of 3853 wrong pairs (two of them people of one accent at one microphone) the highest is .588.
 */
export const sameVoiceAgainFrom = 0.65;

/** The name of each speaker, null if none matches. The closest pairs are matched first, one to one, then further
 * speakers. */
export function matchedNames(
	speakers: readonly (Float32Array | null)[],
	known: readonly NamedVoice[],
): (string | null)[] {
	const pairs = speakers.flatMap((voice, speaker) =>
		voice === null ? [] : known.map(({ name, voice: own }) => ({ speaker, name, cosine: dot(voice, own) })),
	);
	const near = pairs.filter(({ cosine }) => cosine >= sameVoiceFrom).sort((a, b) => b.cosine - a.cosine);
	const names: (string | null)[] = speakers.map(() => null);
	for (const { speaker, name } of near)
		if (names[speaker] === null && !names.includes(name)) names[speaker] = name;
	for (const { speaker, name, cosine } of near) if (cosine >= sameVoiceAgainFrom) names[speaker] ??= name;
	return names;
}
