/** Computes a person's voice embedding from recordings in which only that person speaks. Pure. */

import { EarshotError } from '../core/errors.js';
import type { FoundSpeakers } from '../core/speech/speakers.js';

export interface Enrolment {
	/** The embedding, normalized to length 1. */
	readonly voice: readonly number[];
	readonly fingerprint: string;
	/** Seconds of speech. */
	readonly seconds: number;
}

/** Minimum speech, the same as for a reference in a request. */
const minSeconds = 1.2;

/**
 * Cosine similarity below which two recordings are of different people. Measured with CAM++: for different people the
 * mean is .08 and 99 % of the pairs are at most .40; for the same person the mean is .85 and 95 % are at least .68.
 */
const differentBelow = 0.35;

/** `found`: diarization result of each recording. Throws `invalid_request` with `param` if more than one person speaks
 * or there is too little speech. */
export function enrolled(found: readonly FoundSpeakers[], param: string): Enrolment {
	const refuse = (what: string) =>
		new EarshotError('invalid_request', `The voice cannot be enrolled: ${what}`, { param });
	let seconds = 0;
	const sum: number[] = [];
	found.forEach(({ turns, speakers }, at) => {
		const which = found.length > 1 ? `recording ${at + 1} of ${found.length}` : 'the recording';
		if (speakers.length > 1)
			throw refuse(`${speakers.length} people speak in ${which}, but exactly one is expected`);
		if (found.length > 1 && !speakers[0]?.voice) throw refuse(`no speech was detected in ${which}`);
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
	if (seconds < minSeconds || length === 0)
		throw refuse(
			`expected at least ${minSeconds} seconds of speech, and better 10, got ${seconds.toFixed(1)} seconds`,
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
