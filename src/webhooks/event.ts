/** What webhooks tell: events, their ids and bodies. Pure. */

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
	/** To whom the job belongs: its endpoints hear of it. */
	readonly owner: string;
	/** When it happened, Unix seconds, with fractions or without. With `type` and `jobId` it makes the event's id, so it must be the same after a
	 * restart: the job's `completed_at`. */
	readonly createdAt: number;
	/** The job's own URL, besides the owner's endpoints. */
	readonly webhookUrl?: string | undefined;
	/** Signs for that URL; without one, nothing there is signed. */
	readonly webhookSecret?: string | undefined;
	readonly metadata?: Readonly<Record<string, string>> | undefined;
	/** The transcript, where the job asked for it; left out where it has 16 kB or more. */
	readonly text?: string | undefined;
}

/** As a job's fields tell it. */
export interface WebhookOfJob {
	readonly url: string;
	/** Absent = unsigned. */
	readonly secret?: string;
}

/** What jobs need of webhooks. */
export interface WebhookSender {
	/** Resolves when the event is kept on disk, from where it is delivered even if the server is killed. To send the same
	 * event again changes nothing, so whoever was killed before this has resolved does. */
	send(event: WebhookEvent): Promise<void>;
	/** Of the fields of a new job. Throws `invalid_request` that names `webhook_url` or `webhook_secret`. */
	check(webhook: WebhookOfJob): void;
}

const maxBodyBytes = 20_000;
const maxTextBytes = 16_000;

/** The same for the same event: receivers tell repetitions by it. */
export function eventId({
	type,
	jobId,
	createdAt,
}: Pick<WebhookEvent, 'type' | 'jobId' | 'createdAt'>): string {
	return `evt_${createHash('sha256').update(`${type} ${jobId} ${createdAt}`).digest('hex').slice(0, 32)}`;
}

/** JSON of fewer than 20,000 bytes: the text is left out where it does not fit, or the metadata. */
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
