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

/** `found`: of each recording. Throws `invalid_request`, naming `param`, where it is not one person's, or too short. */
export function enrolled(found: readonly FoundSpeakers[], param: string): Enrolment {
	const refuse = (what: string) =>
		new EarshotError('invalid_request', `The voice cannot be enrolled: ${what}`, { param });
	let seconds = 0;
	const sum: number[] = [];
	for (const { turns, speakers } of found) {
		if (speakers.length > 1)
			throw refuse(`${speakers.length} people speak in the recording, and one alone is expected`);
		const spoken = turns.reduce((total, { start, end }) => total + end - start, 0);
		seconds += spoken;
		speakers[0]?.voice?.forEach((value, at) => {
			sum[at] = (sum[at] ?? 0) + spoken * value;
		});
	}
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
