/** What a request carries from the door to its log line. */

import type { RouterContext } from '@koa/router';
import type { Middleware } from 'koa';
import type { Clock } from '../../clock.js';
import { EarshotError } from '../../errors.js';

/** Goes into the log line: never the words of a recording, a prompt or a key. */
export interface LoggedFields {
	model?: string;
	format?: string;
	audioSeconds?: number;
	/** Of an error that was answered. */
	code?: string;
	param?: string;
	err?: unknown;
}

export interface RequestState {
	readonly id: string;
	/** Fires when the client has gone or the server will wait no longer. */
	readonly signal: AbortSignal;
	readonly logged: LoggedFields;
	/** Ends the work for the request, which is then answered with `reason`. */
	readonly end: (reason: EarshotError) => void;
	/** Since the request came, ms. */
	readonly elapsedMs: () => number;
	/** Sets the headers that must wait until the answer begins. */
	readonly stamp: () => void;
}

export type RequestContext = RouterContext<RequestState>;

export type RequestMiddleware = Middleware<RequestState>;

/** Between ending a request and giving up on it, so that its refusal still gets out. */
const lastWordsMs = 500;

/** The requests being answered, so that going down can wait for them, or end them. */
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

	/** Resolves when the last request has ended; tells them to end after `graceMs`, and does not wait for
	 * those that do not listen. */
	endWithin(graceMs: number, clock: Clock): Promise<void> {
		if (this.#controllers.size === 0) return Promise.resolve();
		return new Promise((resolve) => {
			let stop = clock.after(graceMs, () => {
				const reason = new EarshotError('closed', 'the server is going down');
				for (const controller of this.#controllers) controller.abort(reason);
				stop = clock.after(lastWordsMs, resolve);
			});
			this.#waiting.push(() => {
				stop();
				resolve();
			});
		});
	}
}
