/** Times as results have them. */

/** Rounded to the millisecond: sums of floats have meaningless digits behind. Keeps their order. */
export function toMilliseconds(seconds: number): number {
	return Number(seconds.toFixed(3));
}
