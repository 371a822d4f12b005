/** The retry schedule of deliveries, and the meaning of responses. Pure. */

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;

/** Delay before each attempt since the previous one, ms: the example of Standard Webhooks, ten attempts in about
 * three days. */
export const retryDelaysMs: readonly number[] = [
	0,
	5 * second,
	5 * minute,
	30 * minute,
	2 * hour,
	5 * hour,
	10 * hour,
	14 * hour,
	20 * hour,
	24 * hour,
];

/** Relative jitter, so that the retries after an outage are spread out. */
const jitter = 0.2;
const maxRetryAfterMs = 24 * hour;

/** The outcome of an attempt. `status`: the HTTP status; null = no response. */
export interface TryOutcome {
	readonly status: number | null;
	/** Delay by the header `Retry-After`, ms; null if it is absent or invalid. */
	readonly retryAfterMs: number | null;
}

export type NextStep =
	| { readonly type: 'delivered' }
	/** `isGone`: the receiver answered 410 Gone and wants no more events. */
	| { readonly type: 'failed'; readonly isGone: boolean }
	| { readonly type: 'retry'; readonly afterMs: number };

/** `tries`: attempts so far, including this one. `random`: from 0 (included) to 1 (excluded). */
export function nextStep(tries: number, { status, retryAfterMs }: TryOutcome, random: number): NextStep {
	if (status !== null && status >= 200 && status < 300) return { type: 'delivered' };
	if (status === 410) return { type: 'failed', isGone: true };
	const delayMs = retryDelaysMs[tries];
	if (delayMs === undefined) return { type: 'failed', isGone: false };
	const afterMs = Math.round(delayMs * (1 - jitter + 2 * jitter * random));
	const requestedMs = status === 429 || status === 503 ? Math.min(retryAfterMs ?? 0, maxRetryAfterMs) : 0;
	return { type: 'retry', afterMs: Math.max(afterMs, requestedMs) };
}

/** Parses seconds or an HTTP date; the delay in ms, or null if it is neither. */
export function retryAfterMsOf(header: string | undefined, nowMs: number): number | null {
	const text = header?.trim() ?? '';
	if (/^\d{1,9}$/.test(text)) return Number(text) * second;
	// `Date.parse` also accepts forms that HTTP does not allow.
	const at = /^[A-Z][a-z]{2,8},? /.test(text) ? Date.parse(text) : Number.NaN;
	return Number.isNaN(at) ? null : Math.max(0, at - nowMs);
}
