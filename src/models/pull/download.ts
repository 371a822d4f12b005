/**
 * Downloads one file: resumes where it stopped, uses several connections for large files, and hashes on the way. The
 * file gets its final name only when it is complete and verified.
 */

import path from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { type Disk, diskFailure, renameOver } from '../../core/disk/disk.js';
import { codeOf, EarshotError } from '../../core/errors.js';
import { type Network, Refusal, type Reply } from './network.js';
import { type DownloadRange, PartFile } from './part-file.js';
import {
	beginsLikePage,
	checkStatus,
	contentRange,
	corrupt,
	isPage,
	pageInstead,
	RetryableError,
	rangeOf,
	SourceChanged,
	validatorOf,
	wholeLength,
} from './reply.js';

export interface DownloadRequest {
	readonly url: string;
	/** Target path; a `.part` file and its `.part.json` are beside it during the download. */
	readonly to: string;
	/** null = unknown. */
	readonly bytes: number | null;
	/** Where `bytes` is unknown: the most that is accepted; absent = `Tuning.maxUnknownBytes`. */
	readonly maxBytes?: number;
	readonly sha256: string | null;
}

export interface Tuning {
	/** Consecutive attempts without data before giving up. */
	readonly attempts: number;
	/** The same, before any data has arrived. */
	readonly attemptsAtFirst: number;
	readonly firstPauseMs: number;
	readonly maxPauseMs: number;
	/** A server that asks for a longer wait is not retried. */
	readonly maxRetryAfterMs: number;
	/** A connection that delivers less than `windowBytes` in `windowMs` has stalled. */
	readonly windowMs: number;
	readonly windowBytes: number;
	/** Files of this size or more are downloaded over several connections. */
	readonly parallelFromBytes: number;
	readonly connections: number;
	/** A crash loses at most this many bytes … */
	readonly saveEveryBytes: number;
	/** … or the bytes of this time, whichever is less. */
	readonly saveEveryMs: number;
	/** Maximum size of a file of unknown size, since a server could send without end. */
	readonly maxUnknownBytes: number;
}

export const defaultTuning: Tuning = {
	attempts: 6,
	attemptsAtFirst: 6,
	firstPauseMs: 500,
	maxPauseMs: 15_000,
	maxRetryAfterMs: 120_000,
	windowMs: 30_000,
	windowBytes: 16_384,
	parallelFromBytes: 64 * 2 ** 20,
	connections: 4,
	saveEveryBytes: 8 * 2 ** 20,
	saveEveryMs: 5_000,
	maxUnknownBytes: 32 * 2 ** 30,
};

export interface DownloadDeps {
	readonly network: Network;
	readonly disk: Disk;
	readonly signal: AbortSignal;
	readonly tuning?: Partial<Tuning>;
	readonly onProgress?: (received: number, total: number | null) => void;
	/** Waits between attempts; replaced in tests. */
	readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>;
}

export interface Downloaded {
	readonly bytes: number;
	readonly sha256: string;
}

/** Throws `download_failed`, `download_corrupt`, `disk_full`, `config_invalid`, `cancelled`. */
export async function download(request: DownloadRequest, deps: DownloadDeps): Promise<Downloaded> {
	const run = new Download(request, deps);
	try {
		return await run.finish();
	} catch (thrown) {
		throw asDownloadError(thrown, request, deps);
	}
}

const pause = async (ms: number, signal: AbortSignal): Promise<void> => {
	await after(ms, undefined, { signal });
};

/** Restarts before giving up on a file that keeps changing at its source. */
const maxChanges = 3;

class Download {
	readonly #request: DownloadRequest;
	readonly #deps: DownloadDeps;
	readonly #tuning: Tuning;
	/** Whether any data has arrived. */
	#hasData = false;
	#savedAtMs = performance.now();

	constructor(request: DownloadRequest, deps: DownloadDeps) {
		this.#request = request;
		this.#deps = deps;
		this.#tuning = { ...defaultTuning, ...deps.tuning };
	}

	/** The address for messages: the mirror's, if a mirror is used. */
	get #from(): string {
		return this.#deps.network.locate(this.#request.url);
	}

	async finish(): Promise<Downloaded> {
		const { url, to, bytes, sha256 } = this.#request;
		this.#deps.signal.throwIfAborted();
		const part = await PartFile.open(this.#deps.disk, `${to}.part`, url, sha256 !== null);
		try {
			if (bytes !== null && part.total !== null && part.total !== bytes) await part.restart();
			await this.#fetch(part);
			const done = await part.finish();
			if (sha256 !== null && sha256 !== done.sha256)
				throw corrupt(this.#from, `has the SHA-256 ${done.sha256} instead of ${sha256}`);
			await part.close();
			await renameOver(part.path, to);
			await part.forget();
			return done;
		} catch (thrown) {
			await part.close();
			// A corrupt download cannot be resumed.
			if (thrown instanceof EarshotError && thrown.code === 'download_corrupt') await part.remove();
			throw thrown;
		}
	}

	async #fetch(part: PartFile): Promise<void> {
		for (let changes = 1; ; changes++) {
			try {
				await this.#connections(part);
				return;
			} catch (thrown) {
				if (!(thrown instanceof SourceChanged) || changes >= maxChanges) throw thrown;
				await part.restart();
			}
		}
	}

	/** The first connection learns the size and whether ranges work, then the others start. A permanent failure of one
	 * aborts all. */
	async #connections(part: PartFile): Promise<void> {
		const ended = new AbortController();
		const signal = AbortSignal.any([this.#deps.signal, ended.signal]);
		const guarded = (work: Promise<void>): Promise<void> => work.catch((thrown) => ended.abort(thrown));
		const others: Promise<void>[] = [];
		const startFurther = (): void => {
			const room = Math.min(this.#tuning.connections - 1, part.waiting) - others.length;
			for (let index = 0; index < room; index++) others.push(guarded(this.#worker(part, signal)));
		};
		const first = async (): Promise<void> => {
			const segment = part.next();
			if (segment !== undefined || part.total === null)
				await this.#segment(part, segment, signal, startFurther);
		};
		await guarded(
			(async () => {
				await this.#withRetries(part, first, signal);
				await this.#worker(part, signal);
			})(),
		);
		await Promise.all(others);
		ended.signal.throwIfAborted();
	}

	async #worker(part: PartFile, signal: AbortSignal): Promise<void> {
		const one = async (): Promise<void> => {
			const segment = part.next();
			if (segment !== undefined) await this.#segment(part, segment, signal);
		};
		while (part.waiting > 0) await this.#withRetries(part, one, signal);
	}

	/** Retries until `attempt` succeeds, or too many attempts in a row got no data. */
	async #withRetries(part: PartFile, attempt: () => Promise<void>, signal: AbortSignal): Promise<void> {
		const { attempts, attemptsAtFirst, firstPauseMs, maxPauseMs, maxRetryAfterMs, windowBytes } =
			this.#tuning;
		const wait = this.#deps.wait ?? pause;
		for (let failed = 1; ; failed++) {
			const before = part.received;
			try {
				await attempt();
				return;
			} catch (thrown) {
				const retryable = asRetryable(thrown);
				if (retryable === undefined || retryable instanceof SourceChanged || signal.aborted) throw thrown;
				if (part.received - before >= windowBytes) failed = 1;
				const { retryAfterMs = 0 } = retryable;
				const most = this.#hasData ? attempts : Math.min(attempts, attemptsAtFirst);
				if (failed >= most || retryAfterMs > maxRetryAfterMs) throw retryable;
				const backOffMs = Math.min(maxPauseMs, firstPauseMs * 2 ** (failed - 1));
				await wait(Math.max(retryAfterMs, backOffMs), signal);
			}
		}
	}

	/** Downloads one segment. `given`: undefined before the first reply. */
	async #segment(
		part: PartFile,
		given: DownloadRange | undefined,
		ended: AbortSignal,
		onStart?: () => void,
	): Promise<void> {
		const stall = new AbortController();
		const signal = AbortSignal.any([ended, stall.signal]);
		let segment = given;
		let windowed = 0;
		const watch = setInterval(() => {
			if (windowed < this.#tuning.windowBytes)
				stall.abort(new RetryableError('the server has stopped sending'));
			windowed = 0;
		}, this.#tuning.windowMs);
		try {
			const reply = await this.#deps.network.get(this.#request.url, rangeOf(part, given), signal);
			try {
				segment = await this.#begin(part, given, reply);
			} catch (thrown) {
				reply.drop();
				throw thrown;
			}
			onStart?.();
			for await (const chunk of reply.body) {
				windowed += chunk.length;
				await this.#take(part, segment, chunk);
				if (segment.at === segment.end) break;
			}
			if (segment.end !== null && segment.at < segment.end)
				throw new RetryableError('the connection was cut');
			await part.complete(segment);
		} catch (thrown) {
			if (segment) part.requeue(segment);
			throw stall.signal.aborted && !ended.aborted ? stall.signal.reason : thrown;
		} finally {
			clearInterval(watch);
		}
	}

	async #take(part: PartFile, segment: DownloadRange, chunk: Uint8Array): Promise<void> {
		if (segment.at === 0 && this.#request.sha256 === null && beginsLikePage(chunk))
			throw corrupt(this.#from, pageInstead);
		if (segment.end === null) this.#checkLength(segment.at + chunk.length);
		const room = segment.end === null ? chunk.length : segment.end - segment.at;
		await part.write(segment, chunk.subarray(0, room));
		this.#hasData = true;
		this.#deps.onProgress?.(part.received, part.total);
		const { saveEveryBytes, saveEveryMs } = this.#tuning;
		const nowMs = performance.now();
		if (part.unsaved < saveEveryBytes && nowMs - this.#savedAtMs < saveEveryMs) return;
		this.#savedAtMs = nowMs;
		await part.save();
	}

	/** Throws if a file of unknown size turns out to be larger than the limit. */
	#checkLength(length: number): void {
		const { bytes, maxBytes = this.#tuning.maxUnknownBytes } = this.#request;
		if (bytes === null && length > maxBytes)
			throw corrupt(this.#from, `is larger than ${maxBytes} bytes, the most that is accepted of it`);
	}

	/** Checks the head of a reply and returns the segment that its body belongs to. */
	async #begin(part: PartFile, given: DownloadRange | undefined, reply: Reply): Promise<DownloadRange> {
		const { bytes } = this.#request;
		checkStatus(reply);
		const range = reply.status === 206 ? contentRange(reply) : undefined;
		if (reply.status === 206 && range === undefined)
			throw new RetryableError('the server sends a range without a Content-Range');
		const total = range?.total ?? wholeLength(reply);
		if (isPage(reply) && total !== bytes) throw corrupt(this.#from, pageInstead);
		if (bytes !== null && total !== null && total !== bytes)
			throw corrupt(this.#from, `has ${total} bytes on the server instead of ${bytes}`);
		this.#checkLength(total ?? 0);
		const validator = validatorOf(reply);
		if (range === undefined) {
			// The whole file: the server ignores ranges, or the file has changed.
			if (part.isShared) throw new SourceChanged('the file changed during the download');
			return await part.startWhole(total ?? bytes);
		}
		if (part.total !== null && (part.total !== range.total || part.validator !== validator))
			throw new SourceChanged('the file changed during the download');
		if (given && range.start !== given.at)
			throw new RetryableError('the server sends another range than requested');
		if (given) return given;
		const { parallelFromBytes, connections } = this.#tuning;
		return await part.plan(range.total, validator, range.total < parallelFromBytes ? 1 : 2 * connections);
	}
}

/** undefined for permanent failures. */
function asRetryable(thrown: unknown): RetryableError | undefined {
	if (thrown instanceof RetryableError) return thrown;
	if (thrown instanceof EarshotError || thrown instanceof Refusal || !(thrown instanceof Error))
		return undefined;
	const code = codeOf(thrown);
	if (/CERT|SELF_SIGNED|UNABLE_TO|ERR_TLS|ERR_SSL/.test(code) || diskFailure(thrown, '')) return undefined;
	// An invalid URL or header: a retry would fail the same way.
	if (/^UND_ERR_(INVALID_ARG|NOT_SUPPORTED)$/.test(code)) return undefined;
	const isNetwork = /^(UND_ERR|ECONN|ENOTFOUND|EAI_|EPIPE|ETIMEDOUT|EHOST|ENET|EADDR|HPE_)/.test(code);
	return isNetwork ? new RetryableError(thrown.message === '' ? code : thrown.message) : undefined;
}

function asDownloadError(
	thrown: unknown,
	{ url, to }: DownloadRequest,
	{ signal, network }: DownloadDeps,
): EarshotError {
	if (thrown instanceof EarshotError) return thrown;
	if (signal.aborted) return new EarshotError('cancelled', 'the download was cancelled', { cause: thrown });
	const full = diskFailure(thrown, path.dirname(to));
	if (full) return full;
	const why = thrown instanceof Error ? thrown.message : String(thrown);
	const advice =
		thrown instanceof RetryableError || asRetryable(thrown)
			? '; pull again later: the download resumes where it stopped'
			: '';
	return new EarshotError(
		'download_failed',
		`${network.locate(url)} could not be downloaded: ${why}${advice}`,
		{
			cause: thrown,
		},
	);
}
