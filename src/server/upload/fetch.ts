/** A recording that a job names by its URL: the server fetches it, from the hosts that its settings name alone. */

import { type AllowedHost, allowedHost } from '../../core/config/addresses.js';
import { asEarshotError, EarshotError, expected, reasonOf } from '../../core/errors.js';
import { Fields, type FormFields } from '../request/fields/fields.js';
import { storeBody } from './body.js';
import type { Upload } from './form.js';
import { tooLarge, type UploadLimits } from './limits.js';

const maxUrlLength = 2048;

/** The URL that a form names; undefined where it names none. `isJob`: whether the form is of a route that fetches. Throws
 * `invalid_request` and `unsupported_value`. */
export function recordingUrlOf(
	fields: FormFields,
	{ isJob, allowed }: { readonly isJob: boolean; readonly allowed: readonly string[] },
): URL | undefined {
	const text = new Fields(fields).text('url');
	if (text === undefined) return undefined;
	const refuse = (why: string) => new EarshotError('unsupported_value', why, { param: 'url' });
	if (!isJob)
		throw refuse('`url` is for `POST /v1/transcription_jobs` alone: send the recording as `file` here');
	if (allowed.length === 0)
		throw refuse(
			'This server fetches no recordings: send the recording as `file`, or start it with `--allow-fetch HOSTS`',
		);
	const url = URL.canParse(text) ? new URL(text) : undefined;
	if (url === undefined || text.length > maxUrlLength || !/^https?:$/.test(url.protocol))
		throw expected('url', `an http or https URL of at most ${maxUrlLength} characters`, text);
	// They would end in logs of others.
	if (url.username !== '' || url.password !== '')
		throw expected('url', 'a URL without user and password', 'one with them');
	if (!allowed.flatMap((host) => allowedHost(host) ?? []).some((host) => isOf(url, host)))
		throw expected('url', 'of a host that `--allow-fetch` names', url.host);
	return url;
}

function isOf({ hostname, port, protocol }: URL, host: AllowedHost): boolean {
	const usual = protocol === 'https:' ? 443 : 80;
	return host.hostname === hostname && (host.port ?? Number(port || usual)) === Number(port || usual);
}

/** Fetches the recording within the limits of an upload. Throws `invalid_request`, `download_failed`, `upload_too_large`,
 * `overloaded`, and `cancelled` when the signal aborts. */
export async function fetchRecording(
	url: URL,
	limits: UploadLimits,
	signal: AbortSignal,
): Promise<Omit<Upload, 'fields'>> {
	const response = await answered(url, signal);
	const declared = Number(response.headers.get('content-length') ?? 0);
	if (declared > limits.maxUploadBytes) {
		await response.body?.cancel();
		throw tooLarge(limits.maxUploadBytes, declared);
	}
	try {
		const body = await storeBody(response.body ?? nothing(), { declared, limits, signal });
		if (body.bytes > 0) return body;
		await body.discard();
	} catch (thrown) {
		throw failure(thrown, url, signal);
	}
	throw expected('url', 'of a recording', 'an empty answer');
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

/** An answer with the recording. */
async function answered(url: URL, signal: AbortSignal): Promise<Response> {
	let response: Response;
	try {
		// A redirect may lead to any host.
		response = await fetch(url, { redirect: 'manual', signal });
	} catch (thrown) {
		throw failure(thrown, url, signal);
	}
	const { status } = response;
	if (status === 200) return response;
	await response.body?.cancel();
	if (status >= 500) throw new EarshotError('download_failed', `${url.host} answered with status ${status}`);
	const hint = status >= 300 && status < 400 ? ': give the URL to which it redirects' : '';
	throw new EarshotError(
		'invalid_request',
		`Expected \`url\` to be of a recording, got status ${status} from ${url.host}${hint}`,
		{ param: 'url' },
	);
}

function failure(thrown: unknown, { host }: URL, signal: AbortSignal): EarshotError {
	if (signal.aborted) return new EarshotError('cancelled', 'the upload was cancelled', { cause: thrown });
	if (thrown instanceof EarshotError) return thrown;
	const known = asEarshotError(thrown);
	if (known.code !== 'internal') return known;
	const cause = thrown instanceof Error && thrown.cause !== undefined ? thrown.cause : thrown;
	return new EarshotError(
		'download_failed',
		`The recording cannot be fetched from ${host}: ${reasonOf(cause)}`,
		{
			cause: thrown,
		},
	);
}
