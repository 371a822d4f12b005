/** Reads the head of a server's reply to a download: its size and range, and whether to retry. */

import { EarshotError } from '../../core/errors.js';
import { Refusal, type Reply } from './network.js';
import type { DownloadRange, PartFile } from './part-file.js';

/** A failure that may succeed when retried. */
export class RetryableError extends Error {
	/** From the server's Retry-After. */
	readonly retryAfterMs: number | undefined;

	constructor(message: string, retryAfterMs?: number) {
		super(message);
		this.retryAfterMs = retryAfterMs;
	}
}

/** The file has changed at its source since its first part was downloaded. */
export class SourceChanged extends RetryableError {}

export function rangeOf(part: PartFile, segment: DownloadRange | undefined): Record<string, string> {
	const from = segment?.at ?? 0;
	const to = segment?.end == null ? '' : String(segment.end - 1);
	const condition: Record<string, string> = part.validator === '' ? {} : { 'if-range': part.validator };
	return { range: `bytes=${from}-${to}`, ...condition };
}

export function contentRange(reply: Reply): { start: number; total: number } | undefined {
	const [, start, total] = /^bytes (\d+)-\d+\/(\d+)$/.exec(reply.header('content-range') ?? '') ?? [];
	return start === undefined || total === undefined
		? undefined
		: { start: Number(start), total: Number(total) };
}

export function wholeLength(reply: Reply): number | null {
	const length = reply.header('content-length') ?? '';
	return /^\d+$/.test(length) ? Number(length) : null;
}

/** Weak ETags do not guarantee equal bytes, so they are ignored. */
export function validatorOf(reply: Reply): string {
	const tag = reply.header('etag');
	if (tag?.startsWith('"') === true) return tag;
	return tag === undefined ? (reply.header('last-modified') ?? '') : '';
}

export function isPage(reply: Reply): boolean {
	return /^(text\/html|application\/xhtml)/i.test(reply.header('content-type') ?? '');
}

export const pageInstead = 'is a web page instead of the file; perhaps a login page or a proxy is in between';

export function beginsLikePage(chunk: Uint8Array): boolean {
	return /^\s*<(!doctype html|html)/i.test(Buffer.from(chunk.subarray(0, 64)).toString('latin1'));
}

export function checkStatus(reply: Reply): void {
	const { status } = reply;
	if (status === 200 || status === 206) return;
	if (status === 416) throw new SourceChanged('the file on the server has become shorter');
	if (status === 408 || status === 425 || status === 429 || status >= 500) {
		const delayMs = retryAfterMs(reply.header('retry-after'));
		const when = delayMs === undefined ? '' : ` and asks to retry in ${Math.ceil(delayMs / 1000)} s`;
		throw new RetryableError(`the server answers ${status}${when}`, delayMs);
	}
	if (status === 401 || status === 403)
		throw new Refusal(
			`the server answers ${status}: it requires a login; for the Hugging Face hub set HF_TOKEN to a token`,
		);
	if (status === 404 || status === 410)
		throw new Refusal(`the server answers ${status}: it does not have this file; is the mirror complete?`);
	throw new Refusal(`the server answers ${status}`);
}

export function retryAfterMs(header: string | undefined): number | undefined {
	if (header === undefined) return undefined;
	if (/^\d+$/.test(header)) return Number(header) * 1000;
	const at = Date.parse(header);
	return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now());
}

export function corrupt(url: string, what: string): EarshotError {
	return new EarshotError(
		'download_corrupt',
		`${url} ${what}. Nothing of it is kept; pull again, and if this repeats, the source or the mirror is at fault`,
	);
}
