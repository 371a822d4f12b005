/** The warnings that a transcript may have, with their messages. */

import type { Stretch, Warning } from './transcript.js';

/** `duration`: of the part that the file contains, seconds. */
export function truncatedAudio(duration: number): Warning {
	return {
		code: 'truncated_audio',
		message: `The file is cut off: its recording is missing after ${seconds(duration)}.`,
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
