/** The warnings that a transcript may carry, in words. */

import type { Stretch, Warning } from './transcript.js';

/** `duration`: of what is there, in seconds. */
export function truncatedAudio(duration: number): Warning {
	return {
		code: 'truncated_audio',
		message: `The file is cut off: nothing of its recording is there after ${seconds(duration)}.`,
		start: duration,
	};
}

export function removedRepetition({ start, end }: Stretch): Warning {
	return {
		code: 'removed_repetition',
		message: `The model repeated itself between ${seconds(start)} and ${seconds(end)}; all rounds but the first were removed.`,
		start,
		end,
	};
}

function seconds(value: number): string {
	return `${Number(value.toFixed(2))} s`;
}
