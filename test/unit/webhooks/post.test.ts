import type { LookupAddress } from 'node:dns';
import { describe, expect, test } from 'vitest';
import { Destinations } from '../../../src/webhooks/destination.js';
import { type PostResult, poster } from '../../../src/webhooks/post.js';
import { FakeClock } from '../../helpers/fakes.js';
import { startReceiver } from '../../helpers/net/receiver.js';

const local: LookupAddress[] = [{ address: '127.0.0.1', family: 4 }];

function arrange(allowed: readonly string[], resolve: () => Promise<LookupAddress[]> = async () => local) {
	const clock = new FakeClock();
	const destinations = new Destinations(allowed, resolve);
	const post = poster({ destinations, clock, now: () => 0, userAgent: 'earshot/1.2.3' });
	const stop = new AbortController();
	const send = (url: string): Promise<PostResult> =>
		post({ url, headers: { 'webhook-id': 'evt_1' }, body: '{"a":1}', signal: stop.signal });
	return { clock, send, stop };
}

describe('a try', () => {
	test('is a POST of JSON, and its result the status', async () => {
		const receiver = await startReceiver((response) => void response.writeHead(204).end());
		const { send } = arrange([receiver.place]);
		expect(await send(receiver.url)).toEqual({ status: 204, retryAfterMs: null, error: null });
		const [request] = receiver.received;
		expect(request).toMatchObject({ method: 'POST', path: '/hook?token=t0ken', body: '{"a":1}' });
		expect(request?.headers).toMatchObject({
			'content-type': 'application/json',
			'user-agent': 'earshot/1.2.3',
			'webhook-id': 'evt_1',
			host: receiver.place,
		});
	});

	test('goes to the address that was looked up and checked, under the name of the URL', async () => {
		const receiver = await startReceiver();
		const port = receiver.place.split(':')[1];
		let lookups = 0;
		const { send } = arrange(['hooks.example'], async () => {
			lookups++;
			return local;
		});
		expect(await send(`http://hooks.example:${port}/`)).toMatchObject({ status: 200 });
		expect([lookups, receiver.received[0]?.headers.host]).toEqual([1, `hooks.example:${port}`]);
	});

	test('does not follow a redirect', async () => {
		const other = await startReceiver();
		const receiver = await startReceiver((response) =>
			response.writeHead(307, { location: other.url }).end(),
		);
		const { send } = arrange([receiver.place, other.place]);
		expect(await send(receiver.url)).toMatchObject({ status: 307 });
		expect(other.received).toEqual([]);
	});

	test('reports the delay that the receiver asks for', async () => {
		const receiver = await startReceiver((response) =>
			response.writeHead(503, { 'retry-after': '90' }).end(),
		);
		expect(await arrange([receiver.place]).send(receiver.url)).toMatchObject({
			status: 503,
			retryAfterMs: 90_000,
		});
	});

	test('reads no more than 64 kB of an answer that does not end', async () => {
		let written = 0;
		const receiver = await startReceiver((response) => {
			const more = (): void => {
				while (!response.destroyed && response.write(Buffer.alloc(16_384))) written += 16_384;
			};
			response.on('drain', more);
			more();
		});
		expect(await arrange([receiver.place]).send(receiver.url)).toMatchObject({ status: 200 });
		// What the system's buffers between both took, but not without end.
		expect(written).toBeLessThan(64 * 2 ** 20);
	});

	test('ends after 15 s without an answer', async () => {
		const receiver = await startReceiver(() => {});
		const { clock, send } = arrange([receiver.place]);
		const result = send(receiver.url);
		await receiver.waitFor(1);
		clock.advance(15_000);
		expect(await result).toEqual({ status: null, retryAfterMs: null, error: 'timeout' });
	});

	test('counts with its status where the rest of the answer does not come', async () => {
		const receiver = await startReceiver((response) => {
			response.writeHead(200, { 'content-length': '100' }).write('a');
		});
		const { clock, send } = arrange([receiver.place]);
		const result = send(receiver.url);
		let answer: PostResult | undefined;
		void result.then((got) => {
			answer = got;
		});
		while (answer === undefined) {
			await new Promise((resolve) => setImmediate(resolve));
			clock.advance(1000);
		}
		// By the timing of both it is the status or the limit, and never a hang.
		expect([answer.status, answer.error]).toContain(answer.status === null ? 'timeout' : 200);
	});

	test('ends after 15 s of a lookup that does not end', async () => {
		const { clock, send } = arrange(['hooks.example'], () => new Promise(() => {}));
		const result = send('http://hooks.example/');
		clock.advance(15_000);
		expect(await result).toMatchObject({ error: 'timeout' });
	});

	test('ends when it is stopped', async () => {
		const receiver = await startReceiver(() => {});
		const { send, stop } = arrange([receiver.place]);
		const result = send(receiver.url);
		await receiver.waitFor(1);
		stop.abort();
		expect(await result).toMatchObject({ status: null, error: 'stopped' });
	});
});

describe('no connection is made', () => {
	test('to a private address behind a public name', async () => {
		const receiver = await startReceiver();
		const { send } = arrange([]);
		expect(await send('https://rebinding.example.com/')).toMatchObject({ error: 'address_not_public' });
		expect(receiver.received).toEqual([]);
	});

	test('to what is allowed no more', async () => {
		const receiver = await startReceiver();
		expect(await arrange([]).send(receiver.url)).toMatchObject({ error: 'url_not_allowed' });
		expect(receiver.received).toEqual([]);
	});

	test('to a closed port fails with a code', async () => {
		expect(await arrange(['127.0.0.1']).send('http://127.0.0.1:1/')).toMatchObject({
			error: 'ECONNREFUSED',
		});
	});

	test('to a name that is unknown', async () => {
		const unknown = async (): Promise<LookupAddress[]> => {
			throw Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' });
		};
		expect(await arrange([], unknown).send('https://nowhere.example.com/')).toMatchObject({
			error: 'ENOTFOUND',
		});
	});
});
