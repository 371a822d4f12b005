/** What a server's answer to a download says: how much, from where, whether to try again. */

import { EarshotError } from '../../errors.js';
import { Refusal, type Reply } from './network.js';
import type { DownloadRange, PartFile } from './part-file.js';

/** May succeed when tried again. */
export class Hitch extends Error {
	/** What the server asked for. */
	readonly retryAfterMs: number | undefined;

	constructor(message: string, retryAfterMs?: number) {
		super(message);
		this.retryAfterMs = retryAfterMs;
	}
}

/** The file has changed at its source since the first part of it came. */
export class Changed extends Hitch {}

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
	const length = reply.header('content-length');
	return length === undefined ? null : Number(length);
}

/** Weak ones do not promise equal bytes. */
export function validatorOf(reply: Reply): string {
	const tag = reply.header('etag');
	if (tag?.startsWith('"') === true) return tag;
	return tag === undefined ? (reply.header('last-modified') ?? '') : '';
}

export function isPage(reply: Reply): boolean {
	return /^(text\/html|application\/xhtml)/i.test(reply.header('content-type') ?? '');
}

export const pageInstead = 'is a web page instead of the file; is a login page or a proxy in between?';

export function beginsLikePage(chunk: Uint8Array): boolean {
	return /^\s*<(!doctype html|html)/i.test(Buffer.from(chunk.subarray(0, 64)).toString('latin1'));
}

export function checkStatus(reply: Reply): void {
	const { status } = reply;
	if (status === 200 || status === 206) return;
	if (status === 416) throw new Changed('the file is shorter at the server than it was');
	if (status === 408 || status === 425 || status === 429 || status >= 500) {
		const asked = retryAfterMs(reply.header('retry-after'));
		const when = asked === undefined ? '' : ` and asks to come back in ${Math.ceil(asked / 1000)} s`;
		throw new Hitch(`the server answers ${status}${when}`, asked);
	}
	if (status === 401 || status === 403)
		throw new Refusal(
			`the server answers ${status}: it wants a login; for the Hugging Face hub put a token into HF_TOKEN`,
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
		`${url} ${what}. Nothing of it is kept; pull again, and if it stays so, the source or the mirror is at fault`,
	);
}
