/** Names of speakers: known names, and letters for unknown speakers. Pure. */

import type { FoundSpeaker } from '../core/speech/speakers.js';

/** The name of each speaker: the given one, else `A`, `B`, … `Z`, `AA`, … in order, except those given as names. */
export function speakerNames(speakers: readonly Pick<FoundSpeaker, 'name'>[]): string[] {
	const given = new Set(speakers.map(({ name }) => name));
	let next = 0;
	return speakers.map(({ name }) => {
		if (name !== null) return name;
		while (given.has(lettersOf(next))) next++;
		return lettersOf(next++);
	});
}

/** 0 → `A`, 25 → `Z`, 26 → `AA`. */
function lettersOf(index: number): string {
	const last = String.fromCharCode(65 + (index % 26));
	return index < 26 ? last : lettersOf(Math.floor(index / 26) - 1) + last;
}
