/** The fields of a request that apply to jobs. */

import { EarshotError, expected } from '../../core/errors.js';
import type { Task } from '../../core/speech/transcript.js';
import { type Job, type JobPriority, jobPriorities } from '../../jobs/job.js';
import type { RequestContext } from '../request/context.js';
import { Fields, type FormFields } from '../request/fields/fields.js';

export interface JobFields {
	readonly priority: JobPriority;
	readonly metadata: Job['metadata'];
	readonly webhook: Job['webhook'];
}

/** OpenAI's limit for metadata. */
const maxPairs = 16;
const maxKeyLength = 64;
const maxValueLength = 512;
const maxIdempotencyLength = 255;

/** Whether the request is to become a job instead of waiting for the transcript. Throws `invalid_request` and
 * `unsupported_value`. */
export function wantsBackground(ctx: RequestContext, form: FormFields): boolean {
	return new Fields(form).flag('background') ?? prefersAsync(ctx);
}

/** Whether the request has `Prefer: respond-async` (RFC 7240). */
export function prefersAsync(ctx: RequestContext): boolean {
	return /(^|,)\s*respond-async\s*(,|;|$)/i.test(ctx.get('prefer'));
}

/** Throws `invalid_request` and `unsupported_value`, naming the field. */
export function parseJobFields(form: FormFields): JobFields {
	const fields = new Fields(form);
	if (fields.flag('stream') === true)
		throw new EarshotError(
			'unsupported_value',
			'`stream` cannot be `true` for a job: leave it out, and read the events of the job instead',
			{ param: 'stream' },
		);
	const priority = fields.choice('priority', jobPriorities) ?? 'normal';
	return { priority, metadata: parseMetadata(fields.pairs('metadata')), webhook: parseWebhook(fields) };
}

/** The field `task` of `POST /v1/transcription_jobs`. Throws `invalid_request`. */
export function taskOf(form: FormFields): Task {
	return new Fields(form).choice('task', ['transcribe', 'translate']) ?? 'transcribe';
}

/** Throws `invalid_request`. */
export function parseMetadata(given: Readonly<Record<string, unknown>> | null): Job['metadata'] {
	const pairs = Object.entries(given ?? {});
	if (pairs.length > maxPairs) throw expected('metadata', `at most ${maxPairs} pairs`, pairs.length);
	for (const [key, value] of pairs) {
		if (key === '' || key.length > maxKeyLength)
			throw expected('metadata', `pairs whose keys have 1 to ${maxKeyLength} characters`, key);
		if (typeof value !== 'string' || value.length > maxValueLength)
			throw expected(
				'metadata',
				`pairs whose values are texts of at most ${maxValueLength} characters`,
				value,
			);
	}
	return Object.fromEntries(pairs as [string, string][]);
}

/** The header `Idempotency-Key`; undefined where absent. Throws `invalid_request`. */
export function idempotencyKeyOf(ctx: RequestContext): string | undefined {
	const key = ctx.get('idempotency-key');
	if (key.length > maxIdempotencyLength)
		throw expected('Idempotency-Key', `a text of at most ${maxIdempotencyLength} characters`, key);
	return key === '' ? undefined : key;
}

function parseWebhook(fields: Fields): Job['webhook'] {
	const url = fields.text('webhook_url');
	const secret = fields.text('webhook_secret');
	const includeText = fields.choices('webhook_include', ['text']).length > 0;
	if (url === undefined) {
		const idle = secret !== undefined ? 'webhook_secret' : includeText ? 'webhook_include' : undefined;
		if (idle !== undefined)
			throw new EarshotError('unsupported_value', `\`${idle}\` needs \`webhook_url\``, { param: idle });
		return undefined;
	}
	return { url, ...(secret !== undefined && { secret }), ...(includeText && { includeText }) };
}
