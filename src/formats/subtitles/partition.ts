/** Cuts a row of items into parts at the least cost, as TeX breaks a paragraph into lines. Pure. */

/** Ends tried for each part, counted back from the furthest: bounds the time if parts are very long. */
const maxEndsTried = 64;

/**
 * The ends of the parts (each after its last item), in order. `furthest`: the latest end of a part that begins at `from`,
 * greater than `from` and never less than for an earlier one. `cost` of the part from `from` to before `to`.
 */
export function cheapestParts(
	count: number,
	furthest: (from: number) => number,
	cost: (from: number, to: number) => number,
): number[] {
	/** The least cost of everything from an item on, and the end of its first part. */
	const costs = Array.from({ length: count + 1 }, () => 0);
	const ends = Array.from({ length: count + 1 }, () => count);
	for (let from = count - 1; from >= 0; from--) {
		const last = Math.min(Math.max(furthest(from), from + 1), count);
		let best = Number.POSITIVE_INFINITY;
		for (let to = Math.max(from + 1, last - maxEndsTried + 1); to <= last; to++) {
			const total = cost(from, to) + (costs[to] ?? 0);
			if (total >= best) continue;
			best = total;
			ends[from] = to;
		}
		costs[from] = best;
	}
	const parts: number[] = [];
	for (let from = 0; from < count; from = ends[from] ?? count) parts.push(ends[from] ?? count);
	return parts;
}
