/** HTTP routes of live sessions: client secrets, and error responses where a WebSocket is needed. */

import { randomUUID } from 'node:crypto';
import { EarshotError } from '../../core/errors.js';
import type { RequestContext, RequestHandler } from '../request/context.js';
import { readJson } from '../upload/json.js';
import type { SessionConfig } from './protocol/events.js';
import { readRequestedSession } from './protocol/read-session.js';
import { Reader } from './protocol/reader.js';
import { oldSessionObject, sessionObject } from './protocol/session-object.js';
import type { ClientSecrets } from './secrets.js';

export interface LiveRequestsOptions {
	readonly secrets: ClientSecrets;
	/** Configuration of sessions for which the request gives none. */
	readonly initialConfig: SessionConfig;
}

const maxBodyBytes = 1 << 16;

/** Lifetime of a client secret, seconds. */
const defaultSeconds = 600;
const minSeconds = 10;
const maxSeconds = 7200;

/** POST /v1/realtime/client_secrets */
export function makeClientSecret({ secrets, initialConfig }: LiveRequestsOptions): RequestHandler {
	return async (ctx) => {
		const body = await readJson(ctx, maxBodyBytes);
		const config = 'session' in body ? readRequestedSession(body.session, initialConfig) : initialConfig;
		const { value, expiresAt } = secrets.make(config, secondsOf(body.expires_after));
		const identity = { id: newSessionId(), expiresAt };
		ctx.body = { value, expires_at: expiresAt, session: sessionObject(config, identity) };
	};
}

/** POST /v1/realtime/transcription_sessions and /v1/realtime/sessions, of 2024: the body is the session. */
export function makeOldSession({ secrets, initialConfig }: LiveRequestsOptions): RequestHandler {
	return async (ctx) => {
		const { client_secret, expires_after, ...session } = await readJson(ctx, maxBodyBytes);
		const given = typeof client_secret === 'object' && client_secret !== null ? client_secret : {};
		const seconds = secondsOf('expires_after' in given ? given.expires_after : expires_after);
		// Clients of conversations send their fields, which are then accepted.
		const isConversation = ctx.path.endsWith('/sessions') && !ctx.path.endsWith('transcription_sessions');
		const config = readRequestedSession(
			isConversation ? { ...session, type: 'realtime' } : session,
			initialConfig,
		);
		const { value, expiresAt } = secrets.make(config, seconds);
		ctx.body = {
			...oldSessionObject(config, { id: newSessionId(), expiresAt }),
			client_secret: { value, expires_at: expiresAt },
		};
	};
}

/** GET /v1/realtime without a WebSocket. */
export async function needWebSocket(ctx: RequestContext): Promise<void> {
	ctx.set('upgrade', 'websocket');
	throw new EarshotError(
		'upgrade_required',
		'Live sessions need a WebSocket: open this address with `ws:` instead of `http:`',
	);
}

/** POST /v1/realtime/calls */
export async function refuseCall(): Promise<void> {
	throw new EarshotError('not_found', 'This server has no WebRTC: open a WebSocket at /v1/realtime instead');
}

export function newSessionId(): string {
	return `sess_${randomUUID().replaceAll('-', '')}`;
}

/** `expires_after`: `{anchor: 'created_at', seconds}`. Throws `invalid_request`. */
function secondsOf(given: unknown): number {
	if (given === undefined || given === null) return defaultSeconds;
	try {
		const after = new Reader(given, 'expires_after');
		after.allow('anchor', 'seconds');
		after.choice('anchor', ['created_at']);
		return Math.round(after.number('seconds', minSeconds, maxSeconds) ?? defaultSeconds);
	} catch (thrown) {
		const message = thrown instanceof Error ? thrown.message : String(thrown);
		throw new EarshotError('invalid_request', message, { param: 'expires_after' });
	}
}
