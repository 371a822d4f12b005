/**
 * The only error class and the table of its codes. The command prints `message`; the server answers with
 * OpenAI's error envelope, made from the code's row.
 */

import { isNativeError } from 'node:util/types';

export interface ErrorRow {
	/** HTTP status the server answers with. */
	readonly status: number;
	/** `type` in OpenAI's error envelope. */
	readonly type: string;
}

export const errorCodes = {
	invalid_request: { status: 400, type: 'invalid_request_error' },
	/** The field is valid, but this model or format does not support what it requests. */
	unsupported_value: { status: 400, type: 'invalid_request_error' },
	audio_unsupported: { status: 400, type: 'invalid_request_error' },
	audio_too_short: { status: 400, type: 'invalid_request_error' },
	audio_too_long: { status: 400, type: 'invalid_request_error' },
	invalid_api_key: { status: 401, type: 'invalid_request_error' },
	host_refused: { status: 403, type: 'permission_error' },
	origin_refused: { status: 403, type: 'permission_error' },
	/** Pulling, removing, loading or unloading a model over HTTP without an API key or the server's own token. */
	key_needed: { status: 403, type: 'permission_error' },
	/** The model's licence must be accepted first; the message says how. */
	licence_unaccepted: { status: 403, type: 'permission_error' },
	not_found: { status: 404, type: 'invalid_request_error' },
	model_not_found: { status: 404, type: 'invalid_request_error' },
	/** The request did not come within the time limits. */
	request_timeout: { status: 408, type: 'invalid_request_error' },
	/** The model is in use by another operation or program, or is not in the store. */
	conflict: { status: 409, type: 'invalid_request_error' },
	/** The result of a job was requested before the job had finished. */
	job_not_finished: { status: 409, type: 'invalid_request_error' },
	/** An `Idempotency-Key` that an earlier, different request has used. */
	idempotency_key_reused: { status: 422, type: 'invalid_request_error' },
	method_not_allowed: { status: 405, type: 'invalid_request_error' },
	upload_too_large: { status: 413, type: 'server_error' },
	/** An `Expect` header other than `100-continue`. */
	expectation_failed: { status: 417, type: 'invalid_request_error' },
	/** The route accepts only WebSocket upgrades. */
	upgrade_required: { status: 426, type: 'invalid_request_error' },
	headers_too_large: { status: 431, type: 'invalid_request_error' },
	/** The queue is full; carries `retryAfterSeconds`. */
	overloaded: { status: 429, type: 'rate_limit_error' },
	/** The client disconnected: logged, never sent. */
	cancelled: { status: 499, type: 'cancelled' },
	/** A mistake in models.yaml, a flag or an environment variable; the message names line and field. */
	config_invalid: { status: 500, type: 'server_error' },
	engine_failed: { status: 500, type: 'server_error' },
	model_load_failed: { status: 500, type: 'server_error' },
	internal: { status: 500, type: 'server_error' },
	/** The download's source could not be reached, or refused. */
	download_failed: { status: 502, type: 'server_error' },
	/** The download is not what was expected: wrong size or digest, or an archive with paths outside its folder. */
	download_corrupt: { status: 502, type: 'server_error' },
	/** A test event could not be delivered to a webhook endpoint. */
	webhook_failed: { status: 502, type: 'server_error' },
	engine_missing: { status: 503, type: 'server_error' },
	/** The model's process crashed repeatedly; carries `retryAfterSeconds`. */
	model_backoff: { status: 503, type: 'server_error' },
	out_of_memory: { status: 503, type: 'server_error' },
	/** The process has reached its limit of open file descriptors. */
	too_many_open_files: { status: 503, type: 'server_error' },
	/** The request exceeded its own time limit or the server's. */
	deadline_exceeded: { status: 504, type: 'server_error' },
	/** The server is shutting down, or the object was closed. */
	closed: { status: 503, type: 'server_error' },
	disk_full: { status: 507, type: 'server_error' },
	/** The model needs more memory than the budget for all models, so it can never be loaded. */
	model_too_large: { status: 507, type: 'server_error' },
} as const satisfies Record<string, ErrorRow>;

/** What kind of failure it is; the table in docs/reference/errors.md describes each. */
export type ErrorCode = keyof typeof errorCodes;

/** What an EarshotError says besides its code and message. */
export interface ErrorDetails {
	/** The request field or setting at fault. */
	readonly param?: string | undefined;
	/** The error behind it. */
	readonly cause?: unknown;
	/** For `overloaded`, `model_backoff` and `out_of_memory`: an estimate, whole seconds, 1 or more. */
	readonly retryAfterSeconds?: number | undefined;
}

/** Every failure of the server, the command and the library; `message` says what happened and what to do. */
export class EarshotError extends Error {
	override readonly name = 'EarshotError';
	/** The kind of failure, for programs: one of `errorCodes`. */
	readonly code: ErrorCode;
	/** The request field, option or setting at fault. */
	readonly param: string | undefined;
	/** For `overloaded`, `model_backoff` and `out_of_memory`: an estimate, whole seconds, 1 or more. */
	readonly retryAfterSeconds: number | undefined;

	constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
		super(message, details.cause === undefined ? undefined : { cause: details.cause });
		this.code = code;
		this.param = details.param;
		this.retryAfterSeconds = details.retryAfterSeconds;
	}
}

/** `invalid_request` in the form of every validation error: "Expected `field` to be …, got `…`". */
export function expected(field: string, what: string, got: unknown): EarshotError {
	return new EarshotError('invalid_request', `Expected \`${field}\` to be ${what}, got ${shown(got)}`, {
		param: field,
	});
}

/** Never throws, and never writes out a large value. */
function shown(value: unknown): string {
	switch (typeof value) {
		case 'undefined':
			return 'nothing';
		case 'string':
			return `\`${shortened(value)}\``;
		case 'symbol':
		case 'function':
			return `a ${typeof value}`;
		case 'object':
			return value === null ? '`null`' : shownObject(value);
		case 'number':
		case 'boolean':
		case 'bigint':
			return `\`${value}\``;
	}
}

const maxShown = 80;

/** A text of any length, cut to what fits into a message or a log line. */
export function shortened(text: string): string {
	return text.length > maxShown ? `${text.slice(0, maxShown - 3)}…` : text;
}

function shownObject(value: object): string {
	try {
		if (ArrayBuffer.isView(value)) return `a ${value.constructor.name}`;
		if (Array.isArray(value) && value.length > maxShown) return `an array of ${value.length}`;
		const text = JSON.stringify(value) ?? 'an object';
		return `\`${shortened(text)}\``;
	} catch {
		// The value cannot be serialized: it is circular, a proxy, or too deep.
		return kindOf(value);
	}
}

function kindOf(value: object): string {
	try {
		return Array.isArray(value) ? 'an array' : 'an object';
	} catch {
		// A revoked proxy, of which nothing can be asked.
		return 'an object';
	}
}

/** `instanceof` alone is not enough: in another realm, as in Jest, Node's errors have another class. */
export function isError(thrown: unknown): thrown is Error {
	return isNativeError(thrown) || thrown instanceof Error;
}

/** The `code` of an error of Node's, such as `ENOENT`; '' if it has none. */
export function codeOf(thrown: unknown): string {
	return isError(thrown) && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : '';
}

/** The message of a thrown error, or the thrown value as text. */
export function reasonOf(thrown: unknown): string {
	return isError(thrown) ? thrown.message : String(thrown);
}

/** Anything thrown, as an EarshotError; unknown errors become `internal` with the original as cause. */
export function asEarshotError(thrown: unknown): EarshotError {
	if (thrown instanceof EarshotError) return thrown;
	if (isError(thrown) && thrown.name === 'AbortError') {
		return new EarshotError('cancelled', 'the request was cancelled', { cause: thrown });
	}
	const system =
		thrown instanceof Error ? systemErrors[(thrown as NodeJS.ErrnoException).code ?? ''] : undefined;
	if (system) return new EarshotError(system.code, system.message, { cause: thrown });
	return new EarshotError('internal', 'something went wrong inside Earshot', { cause: thrown });
}

const diskFull = { code: 'disk_full', message: 'The disk of this machine is full: free some space' } as const;
const tooManyFiles = {
	code: 'too_many_open_files',
	message: 'This machine has no file descriptors left: try again later, or raise the limit (ulimit -n)',
} as const;

/** Errors of the operating system that are not Earshot's fault. */
const systemErrors: Readonly<Record<string, { readonly code: ErrorCode; readonly message: string }>> = {
	ENOSPC: diskFull,
	EDQUOT: diskFull,
	EMFILE: tooManyFiles,
	ENFILE: tooManyFiles,
};

/** An error as plain data, for the protocol between server and runner. */
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
