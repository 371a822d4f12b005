/**
 * Agglomerative clustering by average linkage over 1 - the dot product, of unit vectors the cosine distance. The mean
 * product of two clusters is the product of their sums over that of their sizes, so no matrix of distances is needed:
 * memory grows with the vectors alone. Nearest-neighbour chains (Murtagh 1983) give the same tree as merging the nearest
 * pair again and again, in time that grows with the square. Pure.
 */

/** Two clusters that become one. Ids: vectors from 0; merges follow them in the order of the list. */
export interface Merge {
	readonly a: number;
	readonly b: number;
	/** Mean over all pairs of their vectors. */
	readonly distance: number;
}

interface Cluster {
	readonly id: number;
	readonly sum: Float64Array;
	readonly size: number;
}

/** Steps between two calls of `yieldNow`. */
const stepsAtOnce = 32;

/** All merges up to one cluster. `yieldNow` is awaited often, so that other work gets its turn; it may throw to
 * cancel. */
export async function mergesOf(
	vectors: readonly Float32Array[],
	yieldNow: () => Promise<void>,
): Promise<Merge[]> {
	const open = new Map<number, Cluster>(
		vectors.map((vector, id) => [id, { id, sum: Float64Array.from(vector), size: 1 }]),
	);
	const merges: Merge[] = [];
	const chain: Cluster[] = [];
	for (let step = 1; open.size > 1; step++) {
		if (step % stepsAtOnce === 0) await yieldNow();
		if (chain.length === 0) for (const first of open.values()) if (chain.push(first) > 0) break;
		const tip = chain.at(-1);
		if (tip === undefined) break;
		const before = chain.at(-2);
		let nearest = before;
		let best = before === undefined ? Number.NEGATIVE_INFINITY : similarity(tip, before);
		for (const other of open.values()) {
			if (other === tip || other === before) continue;
			const found = similarity(tip, other);
			if (found > best || nearest === undefined) [best, nearest] = [found, other];
		}
		if (nearest === undefined) break;
		if (nearest !== before) {
			chain.push(nearest);
			continue;
		}
		chain.length -= 2;
		open.delete(tip.id);
		open.delete(nearest.id);
		const id = vectors.length + merges.length;
		open.set(id, { id, sum: added(tip.sum, nearest.sum), size: tip.size + nearest.size });
		merges.push({ a: nearest.id, b: tip.id, distance: 1 - best });
	}
	return merges;
}

function similarity(a: Cluster, b: Cluster): number {
	return dot(a.sum, b.sum) / (a.size * b.size);
}

function added(a: Float64Array, b: Float64Array): Float64Array {
	return a.map((value, at) => value + (b[at] ?? 0));
}

export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
	let sum = 0;
	for (let at = 0; at < a.length; at++) sum += (a[at] ?? 0) * (b[at] ?? 0);
	return sum;
}

/** The vector scaled to length 1; null if it is zero or not finite. */
export function unit(vector: ArrayLike<number>): Float32Array | null {
	const length = Math.sqrt(dot(vector, vector));
	if (!(length > 1e-12) || !Number.isFinite(length)) return null;
	return Float32Array.from(vector, (value) => value / length);
}

/** Positions of merges, the nearest first; a merge comes after those that made its clusters. */
export function nearestFirst(merges: readonly Merge[]): number[] {
	// With average linkage the distances of merges never decrease, except by rounding.
	const distances: number[] = [];
	const count = merges.length + 1;
	merges.forEach(({ a, b, distance }, at) => {
		distances[at] = Math.max(distance, distances[a - count] ?? distance, distances[b - count] ?? distance);
	});
	return merges.map((_, at) => at).sort((x, y) => (distances[x] ?? 0) - (distances[y] ?? 0) || x - y);
}

/** The clusters that some of the merges make: positions of vectors, ascending. */
export function groupsBy(merges: readonly Merge[], accepted: ReadonlySet<number>): number[][] {
	const count = merges.length + 1;
	const members = new Map<number, number[]>(Array.from({ length: count }, (_, at) => [at, [at]]));
	merges.forEach(({ a, b }, index) => {
		const [left, right] = [members.get(a), members.get(b)];
		if (!accepted.has(index) || left === undefined || right === undefined) return;
		members.delete(a);
		members.delete(b);
		members.set(count + index, [...left, ...right]);
	});
	return [...members.values()]
		.map((group) => group.sort((x, y) => x - y))
		.sort((x, y) => (x[0] ?? 0) - (y[0] ?? 0));
}
