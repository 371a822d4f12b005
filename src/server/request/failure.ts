/** Anything thrown becomes OpenAI's error envelope. */

import { asEarshotError, EarshotError, type ErrorCode, errorCodes } from '../../errors.js';
import type { LoggedFields } from './context.js';

export interface ErrorBody {
	readonly error: {
		readonly message: string;
		readonly type: string;
		readonly param: string | null;
		readonly code: string;
	};
}

export function errorBody(error: EarshotError): ErrorBody {
	return {
		error: {
			message: error.message,
			type: errorCodes[error.code].type,
			param: error.param ?? usualParam[error.code] ?? null,
			code: error.code,
		},
	};
}

const usualParam: Partial<Record<ErrorCode, string>> = { model_not_found: 'model' };

/** OpenAI's clients send a request again, upload and all, on 429 and every 5xx unless told otherwise:
 * worth it when the server was busy, not when the same recording would fail the same way. */
const secondsUntilWorthRetrying: Partial<Record<ErrorCode, number>> = {
	overloaded: 1,
	model_backoff: 10,
	out_of_memory: 5,
	closed: 2,
};

export function retryHeaders(error: EarshotError): Record<string, string> {
	const usual = secondsUntilWorthRetrying[error.code];
	if (usual !== undefined) {
		return { 'retry-after': String(error.retryAfterSeconds ?? usual), 'x-should-retry': 'true' };
	}
	return errorCodes[error.code].status >= 500 ? { 'x-should-retry': 'false' } : {};
}

/** Also knows the errors of koa and its router, which carry a status and say whether they may be shown.
 * `signal` is the request's: where the server itself ended the work, its reason is the failure. */
export function toHttpError(thrown: unknown, signal: AbortSignal): EarshotError {
	if (thrown instanceof Error && !(thrown instanceof EarshotError)) {
		const { status, expose } = thrown as { status?: unknown; expose?: unknown };
		if (typeof status === 'number' && status >= 400 && status < 500 && expose === true) {
			return new EarshotError('invalid_request', thrown.message, { cause: thrown });
		}
	}
	const failure = asEarshotError(thrown);
	if (failure.code !== 'cancelled') return failure;
	if (signal.reason instanceof EarshotError) return signal.reason;
	if (signal.aborted) return failure;
	// Someone else gave up, and the client is still waiting for an answer.
	return new EarshotError('closed', 'the model was closed while it worked', { cause: thrown });
}

/** For the log line. What the client did wrong needs no stack, and its message may quote the client's words. */
export function logFailure(logged: LoggedFields, failure: EarshotError): void {
	logged.code = failure.code;
	if (failure.param !== undefined) logged.param = failure.param;
	if (errorCodes[failure.code].status >= 500) logged.err = failure.cause ?? failure;
}
