/** Rounding of times in results. */

/** Rounded to the millisecond, since sums of floats end in meaningless digits. Keeps the order of times. */
export function toMilliseconds(seconds: number): number {
	const exact = seconds * 1000;
	const whole = Math.round(exact);
	// A product near the middle of two milliseconds may be there only by its own rounding, so round the digits instead.
	if (Math.abs(Math.abs(exact - whole) - 0.5) < 1e-6 || Math.abs(exact) > 1e9)
		return Number(seconds.toFixed(3));
	return whole / 1000;
}
