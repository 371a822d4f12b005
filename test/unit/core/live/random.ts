/** Numbers that are the same for the same seed. */

export interface Random {
	/** A whole number from 0 to below `count`. */
	below(count: number): number;
	chance(share: number): boolean;
	pick<T>(of: readonly T[]): T;
}

/** mulberry32 */
export function seeded(seed: number): Random {
	let state = seed >>> 0;
	const next = (): number => {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
		mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
	};
	const below = (count: number) => Math.floor(next() * count);
	return { below, chance: (share) => next() < share, pick: (of) => of[below(of.length)]! };
}
