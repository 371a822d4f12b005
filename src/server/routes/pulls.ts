/** POST, GET and DELETE /v1/models/{id}/pull, and DELETE /v1/models/{id}: pulls and removes models. */

import { once } from 'node:events';
import { abortable } from '../../core/abort.js';
import type { Clock } from '../../core/clock.js';
import { EarshotError, expected } from '../../core/errors.js';
import type { Installer } from '../../models/installer.js';
import type { Pull, PullStatus } from '../../models/pull/tracker.js';
import type { RequestContext, RequestHandler } from '../request/context.js';
import { errorBody } from '../request/failure.js';
import { requireTrust } from '../request/guard.js';
import { readJson } from '../upload/json.js';

export interface PullsRouteOptions {
	/** undefined: models cannot be pulled or removed. */
	readonly installer?: Installer | undefined;
	readonly clock: Clock;
}

const maxBodyBytes = 4_096;
/** The status is repeated this often, since proxies close a silent response after half a minute. */
const repeatMs = 15_000;

/** Starts a pull, or joins the running one, and reports its status. If the client disconnects, the pull continues. */
export function startPull(options: PullsRouteOptions): RequestHandler {
	return async (ctx) => {
		const installer = installerFor(ctx, options);
		const id = modelOf(ctx);
		const { acceptLicence, repin } = await abortable(bodyOf(ctx), ctx.state.signal, 'request');
		const pull = installer.pull(id, { acceptLicence, repin });
		const form = ctx.accepts('application/x-ndjson', 'text/event-stream', 'application/json');
		if (form === 'application/json') {
			ctx.status = 202;
			ctx.body = statusBody(pull.status);
		} else {
			await stream(ctx, pull, form === 'text/event-stream', options.clock);
		}
	};
}

export function pullStatus(options: PullsRouteOptions): RequestHandler {
	return async (ctx) => {
		ctx.body = statusBody(pullOf(ctx, options).status);
	};
}

/** Cancels a pull. The downloaded part stays on disk, and the next pull resumes it. */
export function cancelPull(options: PullsRouteOptions): RequestHandler {
	return async (ctx) => {
		ctx.body = statusBody(await pullOf(ctx, options).cancel());
	};
}

export function deleteModel(options: PullsRouteOptions): RequestHandler {
	return async (ctx) => {
		const installer = installerFor(ctx, options);
		const { id, files } = await installer.remove(modelOf(ctx), ctx.state.signal);
		ctx.state.logged.model = id;
		ctx.body = { id, object: 'model', deleted: true, files_deleted: files };
	};
}

function installerFor(ctx: RequestContext, { installer }: PullsRouteOptions): Installer {
	requireTrust(ctx, 'Pulling and removing models');
	if (installer === undefined)
		throw new EarshotError('not_found', 'This server cannot pull or remove models');
	return installer;
}

function modelOf(ctx: RequestContext): string {
	const id = ctx.params.model ?? '';
	ctx.state.logged.model = id;
	return id;
}

function pullOf(ctx: RequestContext, options: PullsRouteOptions): Pull {
	const installer = installerFor(ctx, options);
	const id = modelOf(ctx);
	const pull = installer.lastPull(id);
	if (pull) return pull;
	throw new EarshotError('not_found', `\`${id}\` has not been pulled since this server started`);
}

async function bodyOf(ctx: RequestContext): Promise<{ acceptLicence: boolean; repin: boolean }> {
	const body = await readJson(ctx, maxBodyBytes);
	return { acceptLicence: flagOf(body, 'accept_license'), repin: flagOf(body, 'repin') };
}

function flagOf(body: Record<string, unknown>, name: string): boolean {
	const value = body[name] ?? false;
	if (typeof value === 'boolean') return value;
	throw expected(name, 'true or false', value);
}

export function statusBody({
	id,
	state,
	file,
	received,
	total,
	warning,
	manifest,
	error,
}: PullStatus): object {
	return {
		object: 'model.pull',
		id,
		status: state,
		file: file === '' ? null : file,
		received_bytes: received,
		total_bytes: total,
		...(warning === undefined ? {} : { warning }),
		...(manifest ? { files: manifest.files } : {}),
		...(error && state === 'failed' ? errorBody(error, { isTrusted: true }) : {}),
	};
}

async function stream(ctx: RequestContext, pull: Pull, events: boolean, clock: Clock): Promise<void> {
	const { signal, stamp } = ctx.state;
	const { res } = ctx;
	stamp();
	ctx.respond = false;
	res.writeHead(200, {
		'content-type': events ? 'text/event-stream; charset=utf-8' : 'application/x-ndjson; charset=utf-8',
		'cache-control': 'no-cache',
		'x-accel-buffering': 'no',
	});
	const send = (status: PullStatus): boolean => {
		const line = JSON.stringify(statusBody(status));
		return res.write(events ? `data: ${line}\n\n` : `${line}\n`);
	};
	const stop = clock.every(repeatMs, () => send(pull.status));
	try {
		for await (const status of pull.statuses(signal)) {
			if (!send(status)) await once(res, 'drain', { signal });
		}
		if (events && !signal.aborted) res.write('data: [DONE]\n\n');
	} catch (thrown) {
		// The client disconnected; the pull continues.
		if (!signal.aborted) throw thrown;
	} finally {
		stop();
		res.end();
	}
}
