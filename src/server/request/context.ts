/** The state of a request, from its arrival to its log line, and the set of requests in flight. */

import type { RouterContext } from '@koa/router';
import type { Middleware } from 'koa';
import type { Clock } from '../../core/clock.js';
import { EarshotError } from '../../core/errors.js';

/** Fields of the log line: never a transcript, a prompt or a key. */
export interface LoggedFields {
	model?: string;
	format?: string;
	audioSeconds?: number;
	/** Speech without a transcription, seconds. */
	untranscribedSeconds?: number;
	/** Codes of the transcript's warnings. */
	warnings?: readonly string[];
	/** Code of the error that was sent. */
	code?: string;
	param?: string;
	err?: unknown;
}

export interface RequestState {
	readonly id: string;
	/** Whether the request has a valid API key or the local token. */
	isTrusted: boolean;
	/** Owner of what the request stores: the digest of its API key, or `localOwner`. */
	owner: string;
	/** Aborts when the client disconnects or the server ends the request. */
	readonly signal: AbortSignal;
	readonly logged: LoggedFields;
	/** Aborts the request; the response is then the error `reason`. */
	readonly end: (reason: EarshotError) => void;
	/** Time since the request arrived, ms. */
	readonly elapsedMs: () => number;
	/** Sets the headers whose values are known only when the response begins. */
	readonly stamp: () => void;
}

export type RequestContext = RouterContext<RequestState>;

export type RequestHandler = (ctx: RequestContext) => Promise<void>;

export type RequestMiddleware = Middleware<RequestState>;

/** Time that an aborted request has to send its error response. */
const abortGraceMs = 500;

/** The requests in flight, so that a shutdown can wait for them or end them. */
export class InFlight {
	readonly #controllers = new Set<AbortController>();
	readonly #waiting: (() => void)[] = [];

	begin(): AbortController {
		const controller = new AbortController();
		this.#controllers.add(controller);
		return controller;
	}

	end(controller: AbortController): void {
		this.#controllers.delete(controller);
		if (this.#controllers.size > 0) return;
		for (const idle of this.#waiting.splice(0)) idle();
	}

	/** Resolves when the last request has ended. Aborts the remaining ones after `graceMs`, and does not wait for those
	 * that ignore it. */
	endWithin(graceMs: number, clock: Clock): Promise<void> {
		if (this.#controllers.size === 0) return Promise.resolve();
		return new Promise((resolve) => {
			let stop = clock.after(graceMs, () => {
				const reason = new EarshotError('closed', 'the server is shutting down');
				for (const controller of this.#controllers) controller.abort(reason);
				stop = clock.after(abortGraceMs, resolve);
			});
			this.#waiting.push(() => {
				stop();
				resolve();
			});
		});
	}
}
