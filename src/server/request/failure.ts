/** Turns anything thrown into OpenAI's error envelope. */

import { asEarshotError, EarshotError, type ErrorCode, errorCodes } from '../../core/errors.js';
import type { LoggedFields } from './context.js';

export interface ErrorBody {
	readonly error: {
		readonly message: string;
		readonly type: string;
		readonly param: string | null;
		readonly code: string;
	};
}

/** `isTrusted`: the request has a valid key; for others, folders are removed from messages. */
export function errorBody(error: EarshotError, { isTrusted }: { readonly isTrusted: boolean }): ErrorBody {
	return {
		error: {
			message: isTrusted || quotesClient.has(error.code) ? error.message : withoutFolders(error.message),
			type: errorCodes[error.code].type,
			param: error.param ?? defaultParam[error.code] ?? null,
			code: error.code,
		},
	};
}

/** Codes whose messages quote the request but contain no paths of this machine. */
const quotesClient: ReadonlySet<ErrorCode> = new Set([
	'invalid_request',
	'unsupported_value',
	'not_found',
	'model_not_found',
	'method_not_allowed',
	'host_refused',
	'origin_refused',
]);

/** Absolute POSIX and Windows paths. Names of folders may contain spaces; the last name ends at a space. */
const absolutePaths = [
	/(?<![\w:/.])\/(?:[^/:'"`,;()<>\n]+\/)+([^\s/:'"`,;()<>]*)/g,
	/(?<!\w)[A-Za-z]:\\(?:[^\\:'"`,;()<>\n]+\\)*([^\s\\:'"`,;()<>]*)/g,
];

/** The message with the names of files instead of their paths. Pure. */
export function withoutFolders(message: string): string {
	return absolutePaths.reduce((text, pattern) => text.replace(pattern, '$1'), message);
}

const defaultParam: Partial<Record<ErrorCode, string>> = { model_not_found: 'model' };

/** Seconds until a retry, for errors that are worth one. OpenAI's clients retry a request, upload included, on 408,
 * 409, 429 and every 5xx unless `x-should-retry` is false, even if the same recording would fail again. */
const secondsUntilWorthRetrying: Partial<Record<ErrorCode, number>> = {
	overloaded: 1,
	model_backoff: 10,
	out_of_memory: 5,
	too_many_open_files: 5,
	closed: 2,
};

export function retryHeaders(error: EarshotError): Record<string, string> {
	const defaultSeconds = secondsUntilWorthRetrying[error.code];
	if (defaultSeconds !== undefined) {
		return { 'retry-after': String(error.retryAfterSeconds ?? defaultSeconds), 'x-should-retry': 'true' };
	}
	const { status } = errorCodes[error.code];
	return status >= 500 || [408, 409, 429].includes(status) ? { 'x-should-retry': 'false' } : {};
}

/** Converts any exception. Errors of koa and its router carry a status, and whether their message may be shown.
 * `signal`: the request's signal, whose reason is the failure if the server ended the request. */
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

/** Sets the log line's fields. Client errors are logged without stack and message, which may quote the request; so are
 * exceeded time limits, which are expected. */
export function logFailure(logged: LoggedFields, failure: EarshotError): void {
	const { code, param } = failure;
	logged.code = code;
	if (param !== undefined) logged.param = param;
	if (errorCodes[code].status >= 500 && code !== 'deadline_exceeded') logged.err = failure.cause ?? failure;
}
