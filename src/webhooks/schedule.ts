/** When a delivery is tried, and what an answer means. Pure. */

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;

/** Before each try, ms since the one before it: the example of Standard Webhooks, ten tries in three days. */
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

/** So that the deliveries of an outage do not come back all at once. */
const jitter = 0.2;
const mostRetryAfterMs = 24 * hour;

/** What came of a try. `status`: of HTTP; null where there was no answer. */
export interface TryOutcome {
	readonly status: number | null;
	/** What the header `Retry-After` asks for; null where it is absent or cannot be read. */
	readonly retryAfterMs: number | null;
}

export type NextStep =
	| { readonly type: 'delivered' }
	/** `isGone`: the receiver wants no more of them. */
	| { readonly type: 'failed'; readonly isGone: boolean }
	| { readonly type: 'retry'; readonly afterMs: number };

/** `tries`: those made, this one included. `random`: from 0 up to 1. */
export function nextStep(tries: number, { status, retryAfterMs }: TryOutcome, random: number): NextStep {
	if (status !== null && status >= 200 && status < 300) return { type: 'delivered' };
	if (status === 410) return { type: 'failed', isGone: true };
	const delayMs = retryDelaysMs[tries];
	if (delayMs === undefined) return { type: 'failed', isGone: false };
	const afterMs = Math.round(delayMs * (1 - jitter + 2 * jitter * random));
	const asked = status === 429 || status === 503 ? Math.min(retryAfterMs ?? 0, mostRetryAfterMs) : 0;
	return { type: 'retry', afterMs: Math.max(afterMs, asked) };
}

/** From seconds or from a date of HTTP, ms; null where it is neither. */
export function retryAfterMsOf(header: string | undefined, nowMs: number): number | null {
	const text = header?.trim() ?? '';
	if (/^\d{1,9}$/.test(text)) return Number(text) * second;
	// Other forms that Date.parse takes are none of HTTP's.
	const at = /^[A-Z][a-z]{2,8},? /.test(text) ? Date.parse(text) : Number.NaN;
	return Number.isNaN(at) ? null : Math.max(0, at - nowMs);
}
