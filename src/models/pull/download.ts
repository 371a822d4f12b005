/**
 * One file from the network to the disk: goes on where it stopped, in parallel where that helps, with its
 * digest taken on the way. It has its final name only when it is whole.
 */

import path from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { codeOf, type Disk, diskFailure, renameOver } from '../../disk/disk.js';
import { EarshotError } from '../../errors.js';
import { type Network, Refusal, type Reply } from './network.js';
import { type DownloadRange, PartFile } from './part-file.js';
import {
	beginsLikePage,
	Changed,
	checkStatus,
	contentRange,
	corrupt,
	Hitch,
	isPage,
	pageInstead,
	rangeOf,
	validatorOf,
	wholeLength,
} from './reply.js';

export interface DownloadRequest {
	readonly url: string;
	/** Where it arrives; beside it a `.part` and what is known of it. */
	readonly to: string;
	/** null = not known beforehand. */
	readonly bytes: number | null;
	readonly sha256: string | null;
}

export interface Tuning {
	/** Attempts in a row that bring nothing. */
	readonly attempts: number;
	/** As long as nothing at all has come. */
	readonly attemptsAtFirst: number;
	readonly firstPauseMs: number;
	readonly longestPauseMs: number;
	/** A server that asks for more patience than this is not waited for. */
	readonly longestRetryAfterMs: number;
	/** A connection that brings less than `windowBytes` in `windowMs` has stalled. */
	readonly windowMs: number;
	readonly windowBytes: number;
	/** Files from this size on come over several connections. */
	readonly parallelFromBytes: number;
	readonly connections: number;
	/** At most so much is fetched twice after a crash, for each connection. */
	readonly saveEveryBytes: number;
}

export const usualTuning: Tuning = {
	attempts: 6,
	attemptsAtFirst: 6,
	firstPauseMs: 500,
	longestPauseMs: 15_000,
	longestRetryAfterMs: 120_000,
	windowMs: 30_000,
	windowBytes: 16_384,
	parallelFromBytes: 64 * 2 ** 20,
	connections: 4,
	saveEveryBytes: 8 * 2 ** 20,
};

export interface DownloadDeps {
	readonly network: Network;
	readonly disk: Disk;
	readonly signal: AbortSignal;
	readonly tuning?: Partial<Tuning>;
	readonly onProgress?: (received: number, total: number | null) => void;
	/** Pauses between attempts; tests do not wait. */
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
		throw toHttpError(thrown, request, deps.signal);
	}
}

const pause = async (ms: number, signal: AbortSignal): Promise<void> => {
	await after(ms, undefined, { signal });
};

/** A file that is being replaced all the time is not waited for. */
const maxChanges = 3;

class Download {
	readonly #request: DownloadRequest;
	readonly #deps: DownloadDeps;
	readonly #tuning: Tuning;
	/** Something has come since this began. */
	#begun = false;

	constructor(request: DownloadRequest, deps: DownloadDeps) {
		this.#request = request;
		this.#deps = deps;
		this.#tuning = { ...usualTuning, ...deps.tuning };
	}

	async finish(): Promise<Downloaded> {
		const { url, to, bytes, sha256 } = this.#request;
		this.#deps.signal.throwIfAborted();
		const part = await PartFile.open(this.#deps.disk, `${to}.part`, url);
		try {
			if (bytes !== null && part.total !== null && part.total !== bytes) await part.restart();
			await this.#fetch(part);
			const done = await part.finish();
			if (sha256 !== null && sha256 !== done.sha256)
				throw corrupt(url, `has the SHA-256 ${done.sha256}, and not ${sha256}`);
			await part.close();
			await renameOver(part.path, to);
			await part.forget();
			return done;
		} catch (thrown) {
			await part.close();
			// Nothing of it can be used again.
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
				if (!(thrown instanceof Changed) || changes >= maxChanges) throw thrown;
				await part.restart();
			}
		}
	}

	/** The first one finds out about size and ranges, then the others start. One that fails for good ends all. */
	async #connections(part: PartFile): Promise<void> {
		const ended = new AbortController();
		const signal = AbortSignal.any([this.#deps.signal, ended.signal]);
		const guarded = (work: Promise<void>): Promise<void> => work.catch((thrown) => ended.abort(thrown));
		const others: Promise<void>[] = [];
		const startOthers = (): void => {
			const room = Math.min(this.#tuning.connections - 1, part.waiting) - others.length;
			for (let index = 0; index < room; index++) others.push(guarded(this.#worker(part, signal)));
		};
		const first = async (): Promise<void> => {
			const segment = part.next();
			if (segment !== undefined || part.total === null)
				await this.#segment(part, segment, signal, startOthers);
		};
		await guarded(
			(async () => {
				await this.#patiently(part, first, signal);
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
		while (part.waiting > 0) await this.#patiently(part, one, signal);
	}

	/** Tries until it works, or nothing has come for several attempts. */
	async #patiently(part: PartFile, attempt: () => Promise<void>, signal: AbortSignal): Promise<void> {
		const { attempts, attemptsAtFirst, firstPauseMs, longestPauseMs, longestRetryAfterMs, windowBytes } =
			this.#tuning;
		const wait = this.#deps.wait ?? pause;
		for (let failed = 1; ; failed++) {
			const before = part.received;
			try {
				await attempt();
				return;
			} catch (thrown) {
				const hitch = asHitch(thrown);
				if (hitch === undefined || hitch instanceof Changed || signal.aborted) throw thrown;
				if (part.received - before >= windowBytes) failed = 1;
				const { retryAfterMs = 0 } = hitch;
				const most = this.#begun ? attempts : Math.min(attempts, attemptsAtFirst);
				if (failed >= most || retryAfterMs > longestRetryAfterMs) throw hitch;
				const backOffMs = Math.min(longestPauseMs, firstPauseMs * 2 ** (failed - 1));
				await wait(Math.max(retryAfterMs, backOffMs), signal);
			}
		}
	}

	/** `given`: undefined while nothing is known of the file. */
	async #segment(
		part: PartFile,
		given: DownloadRange | undefined,
		ended: AbortSignal,
		onStart?: () => void,
	): Promise<void> {
		const stall = new AbortController();
		const signal = AbortSignal.any([ended, stall.signal]);
		let segment = given;
		let brought = 0;
		const watch = setInterval(() => {
			if (brought < this.#tuning.windowBytes) stall.abort(new Hitch('the server has stopped sending'));
			brought = 0;
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
				brought += chunk.length;
				await this.#take(part, segment, chunk);
				if (segment.at === segment.end) break;
			}
			if (segment.end !== null && segment.at < segment.end) throw new Hitch('the connection was cut');
			await part.complete(segment);
		} catch (thrown) {
			if (segment) part.giveBack(segment);
			throw stall.signal.aborted && !ended.aborted ? stall.signal.reason : thrown;
		} finally {
			clearInterval(watch);
		}
	}

	async #take(part: PartFile, segment: DownloadRange, chunk: Uint8Array): Promise<void> {
		if (segment.at === 0 && this.#request.sha256 === null && beginsLikePage(chunk))
			throw corrupt(this.#request.url, pageInstead);
		const room = segment.end === null ? chunk.length : segment.end - segment.at;
		await part.write(segment, chunk.subarray(0, room));
		this.#begun = true;
		this.#deps.onProgress?.(part.received, part.total);
		if (part.unsaved >= this.#tuning.saveEveryBytes) await part.save();
	}

	/** Judges the head of an answer; the segment that its body belongs to. */
	async #begin(part: PartFile, given: DownloadRange | undefined, reply: Reply): Promise<DownloadRange> {
		const { url, bytes } = this.#request;
		checkStatus(reply);
		const range = reply.status === 206 ? contentRange(reply) : undefined;
		if (reply.status === 206 && range === undefined)
			throw new Hitch('the server sends a part it does not name');
		const total = range?.total ?? wholeLength(reply);
		if (isPage(reply) && total !== bytes) throw corrupt(url, pageInstead);
		if (bytes !== null && total !== null && total !== bytes)
			throw corrupt(url, `has ${total} bytes at the server, and not ${bytes}`);
		const validator = validatorOf(reply);
		if (range === undefined) {
			// All of it from the start: ranges are refused, or the file is another one by now.
			if (part.isShared) throw new Changed('the file changed while it was fetched');
			return await part.startWhole(total);
		}
		if (part.total !== null && (part.total !== range.total || part.validator !== validator))
			throw new Changed('the file changed while it was fetched');
		if (given && range.start !== given.at)
			throw new Hitch('the server sends another part than the one asked for');
		if (given) return given;
		const { parallelFromBytes, connections } = this.#tuning;
		return await part.plan(range.total, validator, range.total < parallelFromBytes ? 1 : 2 * connections);
	}
}

/** Undefined where trying again would end the same way. */
function asHitch(thrown: unknown): Hitch | undefined {
	if (thrown instanceof Hitch) return thrown;
	if (thrown instanceof EarshotError || thrown instanceof Refusal || !(thrown instanceof Error))
		return undefined;
	const code = codeOf(thrown);
	if (/CERT|SELF_SIGNED|UNABLE_TO|ERR_TLS|ERR_SSL/.test(code) || diskFailure(thrown, '')) return undefined;
	// A URL or a header that nobody can send.
	if (/^UND_ERR_(INVALID_ARG|NOT_SUPPORTED)$/.test(code)) return undefined;
	const isNetwork = /^(UND_ERR|ECONN|ENOTFOUND|EAI_|EPIPE|ETIMEDOUT|EHOST|ENET|EADDR|HPE_)/.test(code);
	return isNetwork ? new Hitch(thrown.message === '' ? code : thrown.message) : undefined;
}

function toHttpError(thrown: unknown, { url, to }: DownloadRequest, signal: AbortSignal): EarshotError {
	if (thrown instanceof EarshotError) return thrown;
	if (signal.aborted) return new EarshotError('cancelled', 'the download was cancelled', { cause: thrown });
	const full = diskFailure(thrown, path.dirname(to));
	if (full) return full;
	const why = thrown instanceof Error ? thrown.message : String(thrown);
	const advice =
		thrown instanceof Hitch || asHitch(thrown) ? '; pull again later, it goes on where it stopped' : '';
	return new EarshotError('download_failed', `${url} could not be fetched: ${why}${advice}`, {
		cause: thrown,
	});
}
