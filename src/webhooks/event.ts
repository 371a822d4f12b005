/** Events of webhooks: their types, ids and bodies. Pure. */

import { createHash } from 'node:crypto';

export const webhookEventTypes = [
	'transcription.completed',
	'transcription.failed',
	'transcription.cancelled',
] as const;

export type WebhookEventType = (typeof webhookEventTypes)[number];

export interface WebhookEvent {
	readonly type: WebhookEventType;
	readonly jobId: string;
	/** The job's owner, whose endpoints receive the event. */
	readonly owner: string;
	/** Time of the event, Unix seconds, possibly with a fraction. The event's id is derived from `type`, `jobId` and
	 * this, so it must be the same after a restart: the job's `completed_at`. */
	readonly createdAt: number;
	/** The job's own URL, in addition to the owner's endpoints. */
	readonly webhookUrl?: string | undefined;
	/** Secret for signing requests to that URL; without one, they are not signed. */
	readonly webhookSecret?: string | undefined;
	readonly metadata?: Readonly<Record<string, string>> | undefined;
	/** The transcript, if the job asked for it; omitted from the body at 16 kB or more. */
	readonly text?: string | undefined;
}

/** The webhook fields of a job. */
export interface WebhookOfJob {
	readonly url: string;
	/** Absent = unsigned. */
	readonly secret?: string;
}

/** The webhook functions that jobs need. */
export interface WebhookSender {
	/** Resolves once the event is stored durably; it is then delivered even if the server is killed. Idempotent:
	 * after a crash, the caller sends the same event again. */
	send(event: WebhookEvent): Promise<void>;
	/** Checks the fields of a new job. Throws `invalid_request` that names `webhook_url` or `webhook_secret`. */
	check(webhook: WebhookOfJob): void;
}

const maxBodyBytes = 20_000;
const maxTextBytes = 16_000;

/** Equal for the same event: receivers detect duplicates by it. */
export function eventId({
	type,
	jobId,
	createdAt,
}: Pick<WebhookEvent, 'type' | 'jobId' | 'createdAt'>): string {
	return `evt_${createHash('sha256').update(`${type} ${jobId} ${createdAt}`).digest('hex').slice(0, 32)}`;
}

/** JSON of fewer than 20,000 bytes: the text is omitted if it does not fit, or the metadata. */
export function eventBody(event: WebhookEvent): string {
	const { type, jobId, createdAt, metadata, text } = event;
	const hasMetadata = metadata !== undefined && Object.keys(metadata).length > 0;
	const hasText = text !== undefined && Buffer.byteLength(JSON.stringify(text)) < maxTextBytes;
	const bodyWith = (data: object): string =>
		JSON.stringify({
			id: eventId(event),
			object: 'event',
			created_at: Math.floor(createdAt),
			type,
			data: { id: jobId, ...data },
		});
	const given = { ...(hasMetadata && { metadata }), ...(hasText && { text }) };
	const bodies = [given, ...(hasMetadata ? [{ metadata }] : []), ...(hasText ? [{ text }] : [])].map(
		bodyWith,
	);
	return bodies.find((body) => Buffer.byteLength(body) < maxBodyBytes) ?? bodyWith({});
}
