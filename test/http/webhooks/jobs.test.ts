import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { EarshotError } from '../../../src/core/errors.js';
import { newSecret } from '../../../src/webhooks/secret.js';
import { FakeTranscriber } from '../../helpers/fakes.js';
import { isSignedBy, type ReceivedWebhook, startReceiver } from '../../helpers/net/receiver.js';
import { type Arranged, arrange, form, owner, send } from '../../helpers/net/server.js';
import { beach } from '../../helpers/transcripts.js';

const jobs = '/v1/transcription_jobs';

async function submitted(server: Arranged, fields: Record<string, string> = {}, headers = {}) {
	const { status, json } = await send(server.url + jobs, { method: 'POST', body: form(fields), headers });
	expect(status).toBe(202);
	return json.id as string;
}

const bodyOf = ({ body }: ReceivedWebhook) => JSON.parse(body);

describe('when a job ends', () => {
	test('its own URL receives a signed event, with metadata and the requested text', async () => {
		const receiver = await startReceiver();
		const server = await arrange({ webhookAllow: [receiver.place] });
		const webhook_secret = newSecret();
		const id = await submitted(server, {
			webhook_url: receiver.url,
			webhook_secret,
			webhook_include: 'text',
			'metadata[call]': '7',
		});
		const [request] = await receiver.waitFor(1);
		expect(request && bodyOf(request)).toMatchObject({
			id: request?.headers['webhook-id'],
			object: 'event',
			type: 'transcription.completed',
			data: { id, metadata: { call: '7' }, text: beach.text },
		});
		expect(request && isSignedBy(webhook_secret, request)).toBe(true);
	});

	test('the endpoints of its owner receive an event, without the text', async () => {
		const receiver = await startReceiver();
		const server = await arrange({ webhookAllow: [receiver.place] });
		const { json } = await send(`${server.url}/v1/webhook_endpoints`, {
			method: 'POST',
			headers: owner,
			body: JSON.stringify({ name: 'a', url: receiver.url, event_types: ['transcription.completed'] }),
		});
		const id = await submitted(server);
		const [request] = await receiver.waitFor(1);
		expect(request && bodyOf(request).data).toEqual({ id });
		expect(request && isSignedBy(json.signing_secret, request)).toBe(true);
		await vi.waitFor(async () => {
			const found = await send(`${server.url}/v1/webhook_deliveries?job_id=${id}`, { headers: owner });
			expect(found.json.data).toMatchObject([
				{ job_id: id, webhook_endpoint_id: json.id, status: 'delivered', tries: [{ status_code: 200 }] },
			]);
		});
	});

	test('endpoints of another key receive nothing', async () => {
		const receiver = await startReceiver();
		const server = await arrange({ webhookAllow: [receiver.place], apiKeys: ['anna', 'bert'] });
		const as = (key: string) => ({ authorization: `Bearer ${key}` });
		await send(`${server.url}/v1/webhook_endpoints`, {
			method: 'POST',
			headers: as('bert'),
			body: JSON.stringify({ name: 'b', url: receiver.url, event_types: ['transcription.completed'] }),
		});
		for (const of of ['anna1', 'anna2'])
			await submitted(server, { webhook_url: `${receiver.url}&of=${of}` }, as('anna'));
		const paths = (await receiver.waitFor(2)).map(({ path }) => path);
		expect(paths.every((path) => path.includes('&of=anna'))).toBe(true);
		expect(receiver.received).toHaveLength(2);
	});

	test('a webhook that has failed for good is shown in its job', async () => {
		const receiver = await startReceiver((response) => void response.writeHead(410).end());
		const server = await arrange({ webhookAllow: [receiver.place] });
		const [delivered, silent] = [
			await submitted(server),
			await submitted(server, { webhook_url: receiver.url, priority: 'bulk' }),
		];
		await receiver.waitFor(1);
		const shown = async (id: string) => (await send(`${server.url}${jobs}/${id}?wait=60`)).json;
		await vi.waitFor(async () => expect(await shown(silent)).toMatchObject({ webhook_failed: true }));
		expect(await shown(silent)).toMatchObject({ status: 'completed', error: null });
		expect(await shown(delivered)).toMatchObject({ status: 'completed', webhook_failed: false });
	});

	test('a failure is sent as a failure', async () => {
		const receiver = await startReceiver();
		const script = (): never => {
			throw new EarshotError('audio_unsupported', 'no audio in it');
		};
		const model = new FakeTranscriber({ script });
		const server = await arrange({ model, webhookAllow: [receiver.place] });
		const id = await submitted(server, { webhook_url: receiver.url });
		const [request] = await receiver.waitFor(1);
		expect(request && bodyOf(request)).toMatchObject({ type: 'transcription.failed', data: { id } });
	});

	test('a cancellation is sent as a cancellation', async () => {
		const receiver = await startReceiver();
		const model = new FakeTranscriber({
			script: async function* (_, signal) {
				yield { type: 'started', duration: 2 };
				await new Promise((_resolve, reject) => {
					signal.addEventListener('abort', () => reject(signal.reason as Error));
				});
			},
		});
		const server = await arrange({ model, webhookAllow: [receiver.place] });
		const id = await submitted(server, { webhook_url: receiver.url });
		await vi.waitFor(() => expect(model.calls).toHaveLength(1));
		await send(`${server.url}${jobs}/${id}`, { method: 'DELETE' });
		const [request] = await receiver.waitFor(1);
		expect(request && bodyOf(request)).toMatchObject({ type: 'transcription.cancelled', data: { id } });
	});
});

test('the event of a job that ended during an outage is sent after the restart', async () => {
	const receiver = await startReceiver();
	const folder = mkdtempSync(join(tmpdir(), 'earshot-webhooks-'));
	onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
	const settings = { jobsFolder: join(folder, 'jobs'), webhookAllow: [receiver.place] };
	// A folder below a file cannot be made.
	const before = await arrange({ ...settings, webhooksFolder: '/dev/null/webhooks' });
	const id = await submitted(before, { webhook_url: receiver.url });
	await send(`${before.url}${jobs}/${id}?wait=10`);
	await before.close({ graceMs: 0 });
	expect(receiver.received).toEqual([]);
	await arrange({ ...settings, webhooksFolder: join(folder, 'webhooks') });
	const [request] = await receiver.waitFor(1);
	expect(request && bodyOf(request).data).toEqual({ id });
});

describe('a job is refused', () => {
	test.each([
		[{ webhook_url: 'https://169.254.169.254/' }, 'webhook_url'],
		[{ webhook_url: 'http://hooks.example.com/' }, 'webhook_url'],
		[{ webhook_url: 'https://hooks.example.com/', webhook_secret: 'hunter2' }, 'webhook_secret'],
		[{ webhook_secret: newSecret() }, 'webhook_secret'],
	])('for %j', async (fields, param) => {
		const server = await arrange();
		const { status, json } = await send(server.url + jobs, { method: 'POST', body: form(fields) });
		expect([status, json.error.param]).toEqual([400, param]);
		expect(server.leftovers().filter((name) => name !== 'jobs')).toEqual([]);
	});
});
