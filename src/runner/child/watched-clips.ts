/** The scheduler as live streams have it: their clips belong to no request, and are told among the steps all the same. */

import type { ClipScheduler } from '../../scheduler/scheduler.js';
import type { OpenSteps } from './open-steps.js';

export function watchedClips(scheduler: ClipScheduler, steps: OpenSteps): ClipScheduler {
	let clips = 0;
	return {
		get state() {
			return scheduler.state;
		},
		submit(submission) {
			const { clip, onStart, onEnd } = submission;
			// No request has such a number.
			const number = -++clips;
			return scheduler.submit({
				...submission,
				onStart() {
					steps.begin(number, 0, clip.end - clip.start);
					onStart?.();
				},
				onEnd(hasResult) {
					steps.end(number, 0, hasResult);
					onEnd?.(hasResult);
				},
			});
		},
	};
}
