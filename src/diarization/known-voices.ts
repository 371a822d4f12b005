/** Which speakers are people whose voices are known. Pure. */

import { dot } from './linkage.js';

export interface NamedVoice {
	readonly name: string;
	/** Of length 1. */
	readonly voice: Float32Array;
}

/**
 * Cosine from which two voices are one person's. Measured on 35 people and 161 wrong pairs, references of 2 and 4 s: the
 * least right one is .57, the greatest wrong one .505. A property of the embedding network (CAM++).
 */
export const sameVoiceFrom = 0.55;

/**
 * Cosine from which a further speaker has a name that another has: the same person, whom the clustering took for two. More
 * is asked than of the first, since two people who are heard to differ may both be near to one of them: of 3853 wrong pairs
 * (two of them people of one accent at one microphone) the greatest is .588.
 */
export const sameVoiceAgainFrom = 0.65;

/** The name of each speaker, null where none fits: the nearest pair first, one to one, then further speakers. */
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
