// Manages a webhook endpoint with OpenAI's client, receives what it is sent, and verifies it with that client and with
// the library of Standard Webhooks. Prints the types of the events.
import { createServer } from 'node:http';
import process, { argv } from 'node:process';
import OpenAI from 'openai';
import { Webhook } from 'standardwebhooks';

const [, , baseURL, apiKey, place] = argv;
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const [host, port] = place.split(':');
const received = [];
const server = createServer((request, response) => {
	let body = '';
	request.setEncoding('utf8').on('data', (piece) => {
		body += piece;
	});
	request.on('end', () => {
		received.push({ body, headers: request.headers });
		response.writeHead(204).end();
	});
});
await new Promise((resolve) => server.listen(Number(port), host, resolve));
const managed = typeof client.webhooks.create === 'function';
const post = (path, body) => client.post(path, { body });
const event_type = 'transcription.completed';
const fields = { name: 'node', url: `http://${place}/`, event_types: [event_type] };
const made = await (managed ? client.webhooks.create(fields) : post('/webhook_endpoints', fields));
const test = () =>
	managed
		? client.webhooks.test(made.id, { event_type })
		: post(`/webhook_endpoints/${made.id}/test`, { event_type });
const rotation = { keep_old_secret_active_for_24_hours: true };
const types = [];
async function verified(secret) {
	const { body, headers } = received.at(-1);
	const event = await client.webhooks.unwrap(body, headers, secret);
	const same = new Webhook(secret).verify(body, headers);
	if (same.id !== event.id || headers['webhook-id'] !== event.id) throw new Error('two events');
	types.push(event.type);
}
const first = await test();
if (first.status_code !== 204 || first.success !== true) throw new Error(JSON.stringify(first));
await verified(made.signing_secret);
const fresh = await (managed
	? client.webhooks.rotateSecret(made.id, rotation)
	: post(`/webhook_endpoints/${made.id}/rotate_secret`, rotation));
await test();
await verified(fresh.signing_secret);
await verified(made.signing_secret);
let forged = true;
try {
	const { body, headers } = received.at(-1);
	await client.webhooks.unwrap(`${body} `, headers, fresh.signing_secret);
} catch {
	forged = false;
}
if (forged) throw new Error('another body was taken for the signed one');
if (managed) {
	const changed = await client.webhooks.update(made.id, { name: 'other' });
	const ids = [];
	for await (const each of client.webhooks.list({ limit: 1 })) ids.push(each.id);
	const { data } = await client.webhooks.eventTypes.list();
	const { deleted } = await client.webhooks.delete(made.id);
	const isRight = changed.name === 'other' && ids.includes(made.id) && data.includes(event_type) && deleted;
	if (!isRight) throw new Error(JSON.stringify({ changed, ids, data, deleted }));
}
process.stdout.write(`${JSON.stringify(types)}\n`);
server.closeAllConnections();
server.close();
