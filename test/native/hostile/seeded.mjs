/** Random numbers that are the same for the same seed: mulberry32. */

/**
 * @param {number} seed
 * @returns {{ below(limit: number): number; of<T>(values: readonly T[]): T }}
 */
export function seeded(seed) {
	let state = seed >>> 0;
	const next = () => {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
	};
	const below = (limit) => Math.floor(next() * limit);
	return { below, of: (values) => values[below(values.length)] };
}
