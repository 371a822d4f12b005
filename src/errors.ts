/**
 * The one error class and the one table of codes. The command prints `message`, the server sends
 * OpenAI's envelope made from the row, tests assert `code`.
 */

export interface ErrorRow {
	/** HTTP status the server answers with. */
	readonly status: number;
	/** `type` in OpenAI's error envelope. */
	readonly type: string;
}

export const errorCodes = {
	invalid_request: { status: 400, type: 'invalid_request_error' },
	/** The field is right, but this model or format cannot do what it asks. */
	unsupported_value: { status: 400, type: 'invalid_request_error' },
	audio_unsupported: { status: 400, type: 'invalid_request_error' },
	audio_too_short: { status: 400, type: 'invalid_request_error' },
	audio_too_long: { status: 400, type: 'invalid_request_error' },
	invalid_api_key: { status: 401, type: 'invalid_request_error' },
	host_refused: { status: 403, type: 'permission_error' },
	origin_refused: { status: 403, type: 'permission_error' },
	/** Fetching, removing, loading and unloading models over HTTP, by somebody who is neither on this machine nor has a key. */
	key_needed: { status: 403, type: 'permission_error' },
	/** The model's licence has to be accepted first; the message says how. */
	licence_unaccepted: { status: 403, type: 'permission_error' },
	not_found: { status: 404, type: 'invalid_request_error' },
	model_not_found: { status: 404, type: 'invalid_request_error' },
	/** The store does not have it, or something else is at work on it. */
	conflict: { status: 409, type: 'invalid_request_error' },
	method_not_allowed: { status: 405, type: 'invalid_request_error' },
	upload_too_large: { status: 413, type: 'server_error' },
	/** Too much work is waiting already; carries `retryAfterSeconds`. */
	overloaded: { status: 429, type: 'rate_limit_error' },
	/** The client has gone: logged, never sent. */
	cancelled: { status: 499, type: 'cancelled' },
	/** models.yaml, a flag or an environment variable; the message names line and field. */
	config_invalid: { status: 500, type: 'server_error' },
	engine_failed: { status: 500, type: 'server_error' },
	model_load_failed: { status: 500, type: 'server_error' },
	internal: { status: 500, type: 'server_error' },
	/** The source could not be reached, or refused. */
	download_failed: { status: 502, type: 'server_error' },
	/** What came is not what was asked for: size, digest, or an archive that would write elsewhere. */
	download_corrupt: { status: 502, type: 'server_error' },
	engine_missing: { status: 503, type: 'server_error' },
	/** Its process died too often; carries `retryAfterSeconds`. */
	model_backoff: { status: 503, type: 'server_error' },
	out_of_memory: { status: 503, type: 'server_error' },
	/** The request took longer than it, or the server, allows. */
	deadline_exceeded: { status: 504, type: 'server_error' },
	/** The server is going down, or the object was closed. */
	closed: { status: 503, type: 'server_error' },
	disk_full: { status: 507, type: 'server_error' },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof errorCodes;

export interface ErrorDetails {
	/** The request field or setting at fault. */
	readonly param?: string | undefined;
	readonly cause?: unknown;
	/** For `overloaded`, `model_backoff` and `out_of_memory`: an honest estimate, whole seconds >= 1. */
	readonly retryAfterSeconds?: number | undefined;
}

export class EarshotError extends Error {
	override readonly name = 'EarshotError';
	readonly code: ErrorCode;
	readonly param: string | undefined;
	readonly retryAfterSeconds: number | undefined;

	constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
		super(message, details.cause === undefined ? undefined : { cause: details.cause });
		this.code = code;
		this.param = details.param;
		this.retryAfterSeconds = details.retryAfterSeconds;
	}
}

/** The house's one sentence for refusals: "Expected `field` to be …, got `…`". */
export function expected(field: string, what: string, got: unknown): EarshotError {
	return new EarshotError('invalid_request', `Expected \`${field}\` to be ${what}, got ${shown(got)}`, {
		param: field,
	});
}

function shown(value: unknown): string {
	if (value === undefined) return 'nothing';
	const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? typeof value);
	return `\`${text.length > 80 ? `${text.slice(0, 77)}…` : text}\``;
}

/** Anything thrown as an EarshotError; what is unknown becomes `internal` with the original as cause. */
export function asEarshotError(thrown: unknown): EarshotError {
	if (thrown instanceof EarshotError) return thrown;
	if (thrown instanceof Error && thrown.name === 'AbortError') {
		return new EarshotError('cancelled', 'the request was cancelled', { cause: thrown });
	}
	return new EarshotError('internal', 'something went wrong inside Earshot', { cause: thrown });
}

/** An error as plain data, for the protocol between server and host. */
export interface WireError {
	readonly code: ErrorCode;
	readonly message: string;
	readonly param?: string | undefined;
	readonly retryAfterSeconds?: number | undefined;
}

export function toWire(error: EarshotError): WireError {
	return {
		code: error.code,
		message: error.message,
		param: error.param,
		retryAfterSeconds: error.retryAfterSeconds,
	};
}

export function fromWire(wire: WireError): EarshotError {
	return new EarshotError(wire.code, wire.message, {
		param: wire.param,
		retryAfterSeconds: wire.retryAfterSeconds,
	});
}
