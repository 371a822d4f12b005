/** A job as clients receive it, in the shape of OpenAI's video jobs. Pure. */

import { toMilliseconds } from '../../core/speech/seconds.js';
import { usage } from '../../formats/verbose-json.js';
import type { Job } from '../../jobs/job.js';
import type { JobProgress } from '../../jobs/queue.js';

/** Estimated processing time of this much audio, seconds. */
export type Estimate = (model: string, seconds: number) => number;

export function jobObject(job: Job, progress: JobProgress | null, estimate: Estimate): object {
	const { status, error, durationSeconds, result } = job;
	const isFinal = status === 'completed' || (status === 'expired' && durationSeconds !== null);
	const processed = isFinal ? (durationSeconds ?? 0) : (progress?.processed ?? 0);
	const duration = durationSeconds ?? progress?.duration ?? null;
	const ahead = status === 'queued' ? (progress?.ahead ?? null) : null;
	return {
		id: job.id,
		object: 'transcription.job',
		status,
		progress: isFinal ? 100 : percent(processed, duration),
		created_at: Math.floor(job.createdAt),
		started_at: whole(job.startedAt),
		completed_at: whole(job.completedAt),
		expires_at: whole(job.expiresAt),
		task: job.task,
		model: job.model,
		response_format: job.format,
		priority: job.priority,
		metadata: job.metadata,
		queue: ahead && {
			position: ahead.units,
			seconds: ahead.units === 0 ? 0 : estimate(job.model, ahead.seconds),
		},
		processed_seconds: toMilliseconds(processed),
		duration_seconds: duration === null ? null : toMilliseconds(duration),
		attempts: job.attempts,
		error: error && { code: error.code, message: error.message, param: error.param ?? null },
		webhook_failed: job.hasWebhookFailed ?? false,
		usage: isFinal ? usage(durationSeconds ?? 0) : null,
		result_url: result ? `/v1/transcription_jobs/${job.id}/result` : null,
	};
}

/** null if the length is unknown. Declared lengths are often wrong, so only finished jobs get 100. */
function percent(processed: number, duration: number | null): number | null {
	if (duration === null) return processed === 0 ? 0 : null;
	return duration === 0 ? 0 : Math.min(99, Math.floor((100 * processed) / duration));
}

function whole(seconds: number | null): number | null {
	return seconds === null ? null : Math.floor(seconds);
}
