/** What a person's voice is like, from recordings of that person alone. Pure. */

import { EarshotError } from '../errors.js';
import type { FoundSpeakers } from '../speech/speakers.js';

export interface Enrolment {
	/** Of length 1. */
	readonly voice: readonly number[];
	readonly fingerprint: string;
	/** Seconds of speech. */
	readonly seconds: number;
}

/** As little as a reference of a request must have. */
const leastSeconds = 1.2;

/**
 * Cosine below which the voices of two recordings are of two people: of other people .08 in the mean and .40 at most in 99
 * of 100 pairs, of one person .85 and .68 at least in 95, measured with CAM++.
 */
const differentBelow = 0.35;

/** `found`: of each recording. Throws `invalid_request`, naming `param`, where it is not one person's, or too short. */
export function enrolled(found: readonly FoundSpeakers[], param: string): Enrolment {
	const refuse = (what: string) =>
		new EarshotError('invalid_request', `The voice cannot be enrolled: ${what}`, { param });
	let seconds = 0;
	const sum: number[] = [];
	found.forEach(({ turns, speakers }, at) => {
		const which = found.length > 1 ? `recording ${at + 1} of ${found.length}` : 'the recording';
		if (speakers.length > 1)
			throw refuse(`${speakers.length} people speak in ${which}, and one alone is expected`);
		if (found.length > 1 && !speakers[0]?.voice) throw refuse(`nobody is heard to speak in ${which}`);
		const spoken = turns.reduce((total, { start, end }) => total + end - start, 0);
		seconds += spoken;
		speakers[0]?.voice?.forEach((value, index) => {
			sum[index] = (sum[index] ?? 0) + spoken * value;
		});
	});
	const voices = found.flatMap(({ speakers: [one] }) => (one?.voice ? [one.voice] : []));
	if (voices.some((one) => voices.some((other) => cosineOf(one, other) < differentBelow)))
		throw refuse('the recordings are of different people, and all are expected to be of one');
	const length = Math.hypot(...sum);
	if (seconds < leastSeconds || length === 0)
		throw refuse(
			`expected at least ${leastSeconds} seconds of speech, and better 10, got ${seconds.toFixed(1)} seconds`,
		);
	return {
		voice: sum.map((value) => value / length),
		fingerprint: found[0]?.fingerprint ?? '',
		seconds: Number(seconds.toFixed(1)),
	};
}

function cosineOf(one: readonly number[], other: readonly number[]): number {
	return one.reduce((sum, value, at) => sum + value * (other[at] ?? 0), 0);
}
