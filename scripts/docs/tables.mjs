// Settings, errors and metrics: one table each.
import prometheus from 'prom-client';
import { fileKeyOf, settingNames, settings, variableOf } from '../../dist/core/config/settings.js';
import { errorCodes } from '../../dist/core/errors.js';
import { Metrics } from '../../dist/core/metrics.js';
import { code, codes, table } from './pages.mjs';

/** Every setting, with its flag, variable and default. */
export function settingsTable() {
	const rows = settingNames.map((name) => {
		const { flag, valueName, help, default: value, defaultText = String(value) } = settings[name];
		return [code(`--${flag} ${valueName}`.trim()), code(variableOf(name)), help, defaultText];
	});
	return table(['flag', 'variable', 'what', 'default'], rows);
}

/** Settings that an entry of models.yaml may have for itself. */
export function perModelSettings() {
	return codes(settingNames.filter((name) => settings[name].perModel === true).map(fileKeyOf));
}

/** When each error happens, and what helps. The codes, statuses and types come from src/core/errors.ts. */
const causes = {
	invalid_request: 'a field is missing or has a value it cannot have; `param` names it',
	unsupported_value:
		'the field is valid, but this model or format does not support the requested value; `param` names it',
	audio_unsupported: 'the recording cannot be read: no audio in it, an unknown container, or damaged',
	audio_too_short: 'the recording is shorter than 0.1 s',
	audio_too_long: 'the recording is longer than `--max-audio-seconds`',
	invalid_api_key: 'the server has API keys and the request has none of them',
	host_refused: 'the `Host` header is not a name of this server: `--allowed-hosts`',
	origin_refused: 'a web page of another origin: `--allowed-origins`',
	key_needed:
		"what changes the machine (pulling, removing, loading and unloading models, `/v1/doctor`) needs an API key, or the server's own token, which the command sends",
	licence_unaccepted:
		'the licence of the model has to be accepted first: `--accept-license`, `accept_license`',
	not_found: 'no such route, pull, voice or job; jobs of other keys are not there either',
	model_not_found: 'the model is not on this machine; the message has the command that fetches it',
	request_timeout:
		'the request did not arrive in time, or its body came slower than `--min-upload-bytes-per-second`',
	job_not_finished: 'the result of a job that is not finished; `partial=true` gives what there is',
	idempotency_key_reused:
		'an earlier request had the same `Idempotency-Key`, with other fields or another file',
	conflict:
		'a job is not in the state that this needs, or another server uses the folder of jobs; another process works on this model, it came with Earshot and cannot be removed, or it was added from files that cannot be pulled',
	method_not_allowed: 'the route has other methods; the `Allow` header lists them',
	upload_too_large: 'the upload is larger than `--max-upload-mb`',
	expectation_failed: 'the request has an `Expect` header other than `100-continue`',
	upgrade_required: 'live sessions are opened with a WebSocket',
	headers_too_large: "the request's headers are larger than 16 KiB",
	overloaded: 'too much audio or too many uploads are waiting; try again after `Retry-After` seconds',
	cancelled: 'the client closed the connection; it is only in the log',
	config_invalid: 'a mistake in models.yaml, a flag or a variable; the message names line and field',
	engine_failed: 'the engine failed twice on this recording',
	model_load_failed: 'the model cannot be loaded; the message names the file and what is wrong with it',
	internal: 'a fault of Earshot; the log has the cause',
	download_failed: 'the source could not be reached, or refused',
	download_corrupt: 'what arrived has another size or digest than expected, or an archive is unsafe',
	webhook_failed: 'the webhook endpoint to be tested gave no answer; the message has the reason as a code',
	engine_missing: "an engine's library is not installed; the message has the command that adds it",
	model_backoff: "the model's process keeps crashing; it is tried again after `Retry-After` seconds",
	out_of_memory: 'no room for the model now; try again after `Retry-After` seconds',
	too_many_open_files:
		'the system gives the server no more file descriptors; try again after `Retry-After` seconds',
	deadline_exceeded: 'the request took longer than `x-earshot-timeout-ms` or `--max-request-seconds` allows',
	closed: 'the server is shutting down, or the transcriber was closed',
	disk_full: 'the model, or the upload, does not fit on the disk',
	model_too_large: 'the model needs more memory than `--memory-budget-mb`, so it can never be loaded',
};

/** Every error code. Throws where one has no description, or a description no code. */
export function errors() {
	const known = Object.keys(errorCodes);
	const missing = known.filter((name) => causes[name] === undefined);
	const left = Object.keys(causes).filter((name) => !known.includes(name));
	if (missing.length + left.length > 0)
		throw new Error(`scripts/docs/tables.mjs: no description of [${missing}], no code for [${left}]`);
	const rows = known
		.map((name) => ({ name, ...errorCodes[name] }))
		.sort((a, b) => a.status - b.status)
		.map(({ name, status, type }) => [status, code(name), code(type), causes[name]]);
	return table(['status', 'code', 'type', 'when'], rows);
}

/** Every metric: collected as the class registers them, since one without samples shows no labels. */
export function metrics() {
	const all = [];
	const { registerMetric } = prometheus.Registry.prototype;
	prometheus.Registry.prototype.registerMetric = function (metric) {
		all.push(metric);
		return registerMetric.call(this, metric);
	};
	try {
		new Metrics();
	} finally {
		prometheus.Registry.prototype.registerMetric = registerMetric;
	}
	const rows = all.map((metric) => [
		code(metric.name),
		metric.constructor.name.toLowerCase(),
		codes(metric.labelNames.filter((label) => label !== 'le')),
		metric.help,
	]);
	if (rows.length === 0) throw new Error('the class Metrics registers nothing');
	return table(['metric', 'kind', 'labels', 'what'], rows);
}
