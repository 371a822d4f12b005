/** Turns anything thrown into OpenAI's error envelope. */

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

/** OpenAI's clients repeat a request, upload included, on 429 and every 5xx unless `x-should-retry` is false:
 * useful when the server was busy, not when the same recording would fail again. */
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

/** Includes the errors of koa and its router, which carry a status and whether their message may be shown.
 * `signal` is the request's: where the server ended the request, the signal's reason is the failure. */
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
	// Cancelled neither by the client, which still waits for a response, nor by the server.
	return new EarshotError('closed', 'the model was closed during transcription', { cause: thrown });
}

/** Sets the log line's fields. Client errors get no stack and no message, which may quote the request. */
export function logFailure(logged: LoggedFields, failure: EarshotError): void {
	logged.code = failure.code;
	if (failure.param !== undefined) logged.param = failure.param;
	if (errorCodes[failure.code].status >= 500) logged.err = failure.cause ?? failure;
}
