import { describe, expect, test } from 'vitest';
import { eventBody, eventId, type WebhookEvent } from '../../../src/webhooks/event.js';

const event: WebhookEvent = {
	type: 'transcription.completed',
	jobId: 'trj_1',
	owner: 'local',
	createdAt: 1_700_000_000,
};

describe('an event', () => {
	test("has the form of OpenAI's events", () => {
		expect(JSON.parse(eventBody(event))).toEqual({
			id: eventId(event),
			object: 'event',
			created_at: 1_700_000_000,
			type: 'transcription.completed',
			data: { id: 'trj_1' },
		});
	});

	test('keeps its id when it is sent again, and shares it with no other', () => {
		const others: WebhookEvent[] = [
			{ ...event, type: 'transcription.failed' },
			{ ...event, jobId: 'trj_2' },
			{ ...event, createdAt: event.createdAt + 1 },
		];
		expect(eventId({ ...event })).toBe(eventId(event));
		expect(new Set([event, ...others].map(eventId)).size).toBe(4);
		// A full stop would let somebody move the bounds of what is signed.
		expect(eventId(event)).toMatch(/^evt_[0-9a-f]{32}$/);
	});

	test('has the metadata of its job, and the text that was asked for', () => {
		const { data } = JSON.parse(eventBody({ ...event, metadata: { call: '7' }, text: 'Hi.' }));
		expect(data).toEqual({ id: 'trj_1', metadata: { call: '7' }, text: 'Hi.' });
	});

	test('has no secret, no owner and no URL in it', () => {
		const body = eventBody({ ...event, webhookUrl: 'https://a.example/hook', webhookSecret: 'whsec_abc' });
		expect(body).not.toMatch(/whsec|example|local/);
	});

	test('leaves a text of 16 kB out', () => {
		const dataOf = (text: string): unknown => JSON.parse(eventBody({ ...event, text })).data;
		expect(dataOf('a'.repeat(15_900))).toHaveProperty('text');
		expect(dataOf('a'.repeat(16_000))).toEqual({ id: 'trj_1' });
		expect(dataOf('ä'.repeat(8_000))).toEqual({ id: 'trj_1' });
	});

	test('stays below 20 kB, whatever the metadata', () => {
		const text = 'a'.repeat(15_000);
		const some = { note: 'b'.repeat(6_000) };
		const much = Object.fromEntries(Array.from({ length: 16 }, (_, at) => [`key${at}`, '語'.repeat(512)]));
		const dataOf = (metadata: Record<string, string>): unknown => {
			const body = eventBody({ ...event, text, metadata });
			expect(Buffer.byteLength(body)).toBeLessThan(20_000);
			return JSON.parse(body).data;
		};
		expect(dataOf(some)).toEqual({ id: 'trj_1', metadata: some });
		expect(dataOf(much)).toEqual({ id: 'trj_1', text });
	});
});
