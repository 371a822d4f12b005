/** A server that receives webhooks. */

import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

export interface ReceivedWebhook {
	readonly method: string;
	readonly path: string;
	readonly headers: IncomingHttpHeaders;
	readonly body: string;
}

export interface Receiver {
	readonly url: string;
	/** HOST:PORT. */
	readonly place: string;
	readonly received: ReceivedWebhook[];
	/** Resolves with the first `count` webhooks received. */
	waitFor(count: number): Promise<readonly ReceivedWebhook[]>;
}

/** `answer`: the response to the request with that number, from 0; by default 200 for all. */
export async function startReceiver(
	answer: (response: ServerResponse, at: number) => void = (response) => void response.end(),
): Promise<Receiver> {
	const received: ReceivedWebhook[] = [];
	const waiting: (() => void)[] = [];
	const server = createServer((request, response) => {
		const pieces: Buffer[] = [];
		request.on('data', (piece: Buffer) => pieces.push(piece));
		request.on('end', () => {
			const { method = '', url: path = '', headers } = request;
			received.push({ method, path, headers, body: Buffer.concat(pieces).toString() });
			answer(response, received.length - 1);
			for (const resolve of waiting.splice(0)) resolve();
		});
	});
	server.listen(0, '127.0.0.1');
	await once(server, 'listening');
	onTestFinished(() => {
		server.closeAllConnections();
		server.close();
	});
	const { port } = server.address() as AddressInfo;
	return {
		url: `http://127.0.0.1:${port}/hook?token=t0ken`,
		place: `127.0.0.1:${port}`,
		received,
		async waitFor(count) {
			while (received.length < count) await new Promise<void>((resolve) => waiting.push(resolve));
			return received.slice(0, count);
		},
	};
}

/** Whether one of the signatures is of this secret, as the specification has it. */
export function isSignedBy(secret: string, { headers, body }: ReceivedWebhook): boolean {
	const key = Buffer.from(secret.replace('whsec_', ''), 'base64');
	const text = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`;
	const signature = `v1,${createHmac('sha256', key).update(text).digest('base64')}`;
	return String(headers['webhook-signature'] ?? '')
		.split(' ')
		.includes(signature);
}
