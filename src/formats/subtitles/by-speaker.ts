/** Groups items by speaker. Pure. */

/** The items of each speaker, in their order; items without a speaker form a group too. */
export function bySpeaker<T>(
	items: readonly T[],
	speakerOf: (item: T) => string | undefined,
): [speaker: string | undefined, items: T[]][] {
	const speakers = new Map<string | undefined, T[]>();
	for (const item of items) {
		const speaker = speakerOf(item);
		const known = speakers.get(speaker);
		if (known) known.push(item);
		else speakers.set(speaker, [item]);
	}
	return [...speakers];
}
