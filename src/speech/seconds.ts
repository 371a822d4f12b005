/** Rounding of times in results. */

/** Rounded to the millisecond, since sums of floats end in meaningless digits. Keeps the order of times. */
export function toMilliseconds(seconds: number): number {
	return Number(seconds.toFixed(3));
}
