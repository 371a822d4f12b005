import { setMaxListeners } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { Metrics } from '../../../src/core/metrics.js';
import type { Delivery } from '../../../src/webhooks/deliveries.js';
import { rotated, updated, type WebhookEndpoint } from '../../../src/webhooks/endpoints.js';
import { eventId, type WebhookEvent } from '../../../src/webhooks/event.js';
import { folderWebhooks } from '../../../src/webhooks/folder/folder-webhooks.js';
import type { Post, PostRequest } from '../../../src/webhooks/post.js';
import { retryDelaysMs } from '../../../src/webhooks/schedule.js';
import { newSecret } from '../../../src/webhooks/secret.js';
import { Webhooks, type WebhooksOptions } from '../../../src/webhooks/webhooks.js';
import { FakeClock, FakeLog } from '../../helpers/fakes.js';
import { isSignedBy, type ReceivedWebhook } from '../../helpers/net/receiver.js';

const url = 'https://hooks.example.com/in/s3cret-path';
const begin = Date.UTC(2026, 0, 1);

const event = (more: Partial<WebhookEvent> = {}): WebhookEvent => ({
	type: 'transcription.completed',
	jobId: 'trj_1',
	owner: 'anna',
	createdAt: begin / 1000,
	...more,
});

interface Sent extends PostRequest {
	readonly atMs: number;
}

interface World {
	readonly folder: string;
	readonly clock: FakeClock;
	readonly log: FakeLog;
	readonly metrics: Metrics;
	readonly sent: Sent[];
	readonly givenUp: Delivery[];
	/** Status of the answer to what was sent; null = none. */
	answer: (request: Sent, at: number) => number | null | Promise<number | null>;
	open(given?: Partial<WebhooksOptions>): Webhooks;
	/** Time passes, and what is due is tried. */
	pass(webhooks: Webhooks, ms: number): Promise<void>;
}

function world(): World {
	const folder = mkdtempSync(path.join(tmpdir(), 'earshot-webhooks-'));
	onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
	const clock = new FakeClock();
	const now = (): number => begin + clock.now();
	const made: World = {
		folder,
		clock,
		log: new FakeLog(),
		metrics: new Metrics(),
		sent: [],
		givenUp: [],
		answer: () => 200,
		open(given = {}) {
			const { log, metrics, sent, givenUp } = made;
			const post: Post = async (request) => {
				const each = { ...request, atMs: now() };
				sent.push(each);
				setMaxListeners(0, request.signal);
				const aborted = new Promise<null>((resolve) =>
					request.signal.addEventListener('abort', () => resolve(null)),
				);
				const status = await Promise.race([made.answer(each, sent.length - 1), aborted]);
				return { status, retryAfterMs: null, error: status === null ? 'ECONNREFUSED' : null };
			};
			const webhooks = new Webhooks({
				storage: folderWebhooks(path.join(folder, 'webhooks')),
				version: '1.2.3',
				metrics,
				log,
				clock,
				now,
				post,
				onGivenUp: (delivery) => void givenUp.push(delivery),
				...given,
			});
			onTestFinished(async () => {
				const closed = webhooks.close();
				clock.advance(1000);
				await closed;
			});
			return webhooks;
		},
		async pass(webhooks, ms) {
			clock.advance(ms);
			await webhooks.idle();
		},
	};
	return made;
}

/** What of this owner is kept, without order. */
async function kept(webhooks: Webhooks, owner = 'anna'): Promise<Delivery[]> {
	const found: Delivery[] = [];
	for await (const each of webhooks.deliveries.list(owner)) found.push(each);
	return found;
}

const soon = (check: () => void | Promise<void>): Promise<void> =>
	vi.waitFor(check, { timeout: 20_000, interval: 5 });

/** The first delivery begins once the folder's lock is had. */
async function firstTry({ sent }: World, webhooks: Webhooks, count = 1): Promise<void> {
	await soon(() => expect(sent.length).toBeGreaterThanOrEqual(count));
	await webhooks.idle();
}

const addEndpoint = (webhooks: Webhooks, more: Partial<WebhookEndpoint> = {}): Promise<WebhookEndpoint> =>
	webhooks.addEndpoint(more.owner ?? 'anna', {
		...{ name: 'mine', url, eventTypes: ['transcription.completed'] },
		...more,
	});

const received = ({ headers, body }: PostRequest): ReceivedWebhook => ({
	method: 'POST',
	path: '',
	headers,
	body,
});

const filesIn = (folder: string): string[] =>
	readdirSync(folder, { recursive: true, withFileTypes: true })
		.filter((each) => each.isFile())
		.map((each) => path.join(each.parentPath, each.name));

describe('an event', () => {
	test('is sent to the job’s own URL, signed with its secret', async () => {
		const here = world();
		const webhooks = here.open();
		const webhookSecret = newSecret();
		await webhooks.send(event({ webhookUrl: url, webhookSecret }));
		await firstTry(here, webhooks);
		const [request] = here.sent;
		expect(request?.url).toBe(url);
		expect(JSON.parse(request?.body ?? '')).toMatchObject({
			type: 'transcription.completed',
			data: { id: 'trj_1' },
		});
		expect(request?.headers['webhook-id']).toBe(eventId(event()));
		expect(isSignedBy(webhookSecret, received(request as Sent))).toBe(true);
	});

	test('is sent unsigned where the job has no secret', async () => {
		const here = world();
		const webhooks = here.open();
		await webhooks.send(event({ webhookUrl: url }));
		await firstTry(here, webhooks);
		expect(here.sent[0]?.headers).not.toHaveProperty('webhook-signature');
	});

	test('is sent to the endpoints of the job’s owner that want it, and to no other', async () => {
		const here = world();
		const webhooks = here.open();
		const wanted = await addEndpoint(webhooks);
		const failures = await addEndpoint(webhooks, { eventTypes: ['transcription.failed'] });
		await addEndpoint(webhooks, { owner: 'bert' });
		const { id } = await addEndpoint(webhooks);
		await webhooks.endpoints.change(id, (found) => ({ ...found, isDisabled: true }));
		await webhooks.send(event());
		await firstTry(here, webhooks);
		expect((await kept(webhooks)).map(({ endpointId }) => endpointId)).toEqual([wanted.id]);
		await webhooks.send(event({ type: 'transcription.failed' }));
		await firstTry(here, webhooks, 2);
		expect((await kept(webhooks)).map(({ endpointId }) => endpointId).sort()).toEqual(
			[wanted.id, failures.id].sort(),
		);
	});

	test('that is sent again, even at once, is delivered once', async () => {
		const here = world();
		const webhooks = here.open();
		await Promise.all([1, 2, 3].map(() => webhooks.send(event({ webhookUrl: url }))));
		await firstTry(here, webhooks);
		await webhooks.send(event({ webhookUrl: url }));
		await here.pass(webhooks, 60_000);
		expect(here.sent).toHaveLength(1);
	});

	test('leaves neither body nor secret nor path behind once it is delivered, nor in the log', async () => {
		const here = world();
		const webhooks = here.open();
		const webhookSecret = newSecret();
		here.answer = (_, at) => (at === 0 ? 500 : 200);
		await webhooks.send(event({ webhookUrl: url, webhookSecret, text: 'what they said' }));
		await firstTry(here, webhooks);
		await here.pass(webhooks, 10_000);
		expect(here.sent).toHaveLength(2);
		const files = filesIn(path.join(here.folder, 'webhooks', 'deliveries'));
		const all = files.map((file) => readFileSync(file, 'utf8')).join('') + JSON.stringify(here.log.lines);
		expect(files).toHaveLength(1);
		expect(all).not.toMatch(/what they said|whsec_|s3cret-path/);
	});

	test('lies in files that only this user can read', async () => {
		if (process.platform === 'win32') return;
		const here = world();
		const webhooks = here.open();
		here.answer = () => 500;
		await addEndpoint(webhooks);
		await webhooks.send(event());
		await firstTry(here, webhooks);
		const modes = filesIn(path.join(here.folder, 'webhooks')).map((file) => statSync(file).mode & 0o777);
		expect([modes.length, [...new Set(modes)]]).toEqual([2, [0o600]]);
		expect(statSync(path.join(here.folder, 'webhooks')).mode & 0o777).toBe(0o700);
	});
});

describe('a receiver that fails', () => {
	test.each([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])('%i times gets the event once, on schedule', async (failures) => {
		const here = world();
		const webhooks = here.open();
		here.answer = (_, at) => (at < failures ? ([500, null, 302, 404][at % 4] ?? null) : 200);
		const webhookSecret = newSecret();
		await webhooks.send(event({ webhookUrl: url, webhookSecret }));
		await firstTry(here, webhooks);
		for (const delayMs of retryDelaysMs.slice(1)) {
			const before = here.sent.length;
			await here.pass(webhooks, delayMs * 0.8 - 1);
			expect(here.sent.length).toBe(before);
			// In parts: a try is timed by the clock as it is when its turn comes.
			for (let part = 0; part < 40 && here.sent.length === before; part++)
				await here.pass(webhooks, delayMs / 100);
			if (before > failures) expect(here.sent.length).toBe(before);
		}
		expect(here.sent).toHaveLength(failures + 1);
		expect(new Set(here.sent.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
		const stamps = here.sent.map(({ headers }) => Number(headers['webhook-timestamp']));
		expect(stamps).toEqual(here.sent.map(({ atMs }) => Math.floor(atMs / 1000)));
		expect(here.sent.every((each) => isSignedBy(webhookSecret, received(each)))).toBe(true);
		const [delivery] = await kept(webhooks);
		expect(delivery).toMatchObject({ state: 'delivered', nextAtMs: null });
		expect(delivery?.tries).toHaveLength(failures + 1);
		expect(here.givenUp).toEqual([]);
	});

	test('ten times is given up, is recorded in the job, and stays readable', async () => {
		const here = world();
		const webhooks = here.open();
		here.answer = () => 500;
		await webhooks.send(event({ webhookUrl: url }));
		await firstTry(here, webhooks);
		for (let hours = 0; hours < 120; hours++) await here.pass(webhooks, 3_600_000);
		expect(here.sent).toHaveLength(10);
		expect(here.givenUp.map(({ jobId }) => jobId)).toEqual(['trj_1']);
		expect((await kept(webhooks)).map(({ state, tries }) => [state, tries.length])).toEqual([['failed', 10]]);
		const metrics = await here.metrics.render();
		expect(metrics).toContain('earshot_webhook_try_seconds_count{result="failed"} 10');
		expect(metrics).toContain('earshot_webhooks_total{result="failed"} 1');
		expect(metrics).toContain('earshot_webhooks_pending 0');
	});

	test('with 410 is disabled, receives no more, and can be enabled again', async () => {
		const here = world();
		const webhooks = here.open();
		here.answer = () => 410;
		const { id } = await addEndpoint(webhooks);
		await webhooks.send(event());
		await firstTry(here, webhooks);
		const endpoint = await webhooks.endpoints.find(id);
		expect(endpoint?.isDisabled).toBe(true);
		await webhooks.send(event({ jobId: 'trj_2' }));
		expect((await kept(webhooks)).map(({ state }) => state)).toEqual(['failed']);
		here.answer = () => 200;
		await webhooks.endpoints.change(id, (found) => updated(found, { isDisabled: false }, 0));
		await webhooks.send(event({ jobId: 'trj_3' }));
		await firstTry(here, webhooks, 2);
		expect((await kept(webhooks)).map(({ state }) => state).sort()).toEqual(['delivered', 'failed']);
	});

	test('and is deleted meanwhile gets nothing more', async () => {
		const here = world();
		const webhooks = here.open();
		here.answer = () => 500;
		const endpoint = await addEndpoint(webhooks);
		await webhooks.send(event());
		await firstTry(here, webhooks);
		await webhooks.endpoints.remove(endpoint);
		await here.pass(webhooks, 10_000);
		expect(here.sent).toHaveLength(1);
		expect((await kept(webhooks)).map(({ state }) => state)).toEqual(['cancelled']);
	});

	test('is tried at the URL that its endpoint has by then', async () => {
		const here = world();
		const webhooks = here.open();
		here.answer = (_, at) => (at === 0 ? 500 : 200);
		const { id } = await addEndpoint(webhooks);
		await webhooks.send(event());
		await firstTry(here, webhooks);
		await webhooks.endpoints.change(id, (found) => ({ ...found, url: 'https://other.example.com/' }));
		await here.pass(webhooks, 10_000);
		expect(here.sent.map((each) => each.url)).toEqual([url, 'https://other.example.com/']);
	});
});

describe('a secret that is rotated', () => {
	test.each([
		[true, 3600, ['new', 'old']],
		[true, 24 * 3600 + 1, ['new']],
		[false, 0, ['new']],
	])('with the old one kept: %s, signs after %i s with %j', async (keepOld, seconds, signers) => {
		const here = world();
		const webhooks = here.open();
		const old = await addEndpoint(webhooks);
		const fresh = rotated(old, { keepOld, nowSeconds: begin / 1000 });
		await webhooks.endpoints.change(old.id, () => fresh);
		here.clock.advance(seconds * 1000);
		await webhooks.send(event());
		await firstTry(here, webhooks);
		const secretOf = ({ secrets }: WebhookEndpoint): string => secrets[0]?.secret ?? '';
		const [request] = here.sent.map(received);
		const verifiers = { new: secretOf(fresh), old: secretOf(old) };
		const found = Object.entries(verifiers).filter(([, secret]) =>
			isSignedBy(secret, request as ReceivedWebhook),
		);
		expect(found.map(([name]) => name)).toEqual(signers);
		expect(request?.headers['webhook-signature']?.toString().split(' ')).toHaveLength(signers.length);
	});
});

describe('receivers that never answer', () => {
	test('delay no other deliveries', async () => {
		const here = world();
		const webhooks = here.open();
		const slow = 'https://slow.example.com/';
		here.answer = (request) => (request.url === slow ? new Promise(() => {}) : 200);
		await Promise.all(
			Array.from({ length: 40 }, (_, at) =>
				webhooks.send(event({ jobId: `trj_slow${at}`, webhookUrl: slow })),
			),
		);
		await soon(() => expect(here.sent).toHaveLength(4));
		await webhooks.send(event({ jobId: 'trj_quick', webhookUrl: url }));
		await soon(() => expect(here.sent.map((each) => each.url)).toContain(url));
		expect(here.sent).toHaveLength(5);
	});

	test('of one owner leave attempts to the others', async () => {
		const here = world();
		const webhooks = here.open();
		here.answer = (request) => (request.url.includes('slow') ? new Promise(() => {}) : 200);
		await Promise.all(
			Array.from({ length: 40 }, (_, at) =>
				webhooks.send(event({ jobId: `trj_${at}`, webhookUrl: `https://slow${at}.example.com/` })),
			),
		);
		await soon(() => expect(here.sent).toHaveLength(16));
		await webhooks.send(event({ owner: 'bert', jobId: 'trj_bert', webhookUrl: url }));
		await soon(() => expect(here.sent.map((each) => each.url)).toContain(url));
	});
});

describe('after the end of a server', () => {
	test('a try that was cut off is made again by the next one, with the same id', async () => {
		const here = world();
		const before = here.open();
		here.answer = () => new Promise(() => {});
		await before.send(event({ webhookUrl: url }));
		await soon(() => expect(here.sent).toHaveLength(1));
		const closed = before.close();
		here.clock.advance(1000);
		await closed;
		expect(await kept(before)).toMatchObject([{ state: 'pending', tries: [] }]);
		here.answer = () => 200;
		const after = here.open();
		await after.start();
		await soon(() => expect(here.sent).toHaveLength(2));
		await after.idle();
		expect(await kept(after)).toMatchObject([{ state: 'delivered' }]);
		expect(new Set(here.sent.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
	});

	test('a try that had failed counts', async () => {
		const here = world();
		const before = here.open();
		here.answer = (_, at) => (at === 0 ? 500 : 200);
		await before.send(event({ webhookUrl: url }));
		await firstTry(here, before);
		await before.close();
		const after = here.open();
		await after.start();
		await soon(async () => {
			here.clock.advance(1000);
			expect(here.sent).toHaveLength(2);
		});
		await after.idle();
		expect(new Set(here.sent.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
		expect((await kept(after)).map(({ tries }) => tries.length)).toEqual([2]);
	});

	test('an event that was delivered is not delivered again, even if the job sends it again', async () => {
		const here = world();
		const before = here.open();
		await before.send(event({ webhookUrl: url }));
		await firstTry(here, before);
		await before.close();
		const after = here.open();
		await after.start();
		await after.send(event({ webhookUrl: url }));
		await here.pass(after, 60_000);
		expect(here.sent).toHaveLength(1);
	});

	test('nothing is created until webhooks are used', async () => {
		const here = world();
		const webhooks = here.open();
		await webhooks.start();
		await webhooks.send(event());
		expect(readdirSync(here.folder)).toEqual([]);
	});
});

describe('what has become of deliveries', () => {
	test('is kept for a week', async () => {
		const here = world();
		const webhooks = here.open();
		await webhooks.send(event({ webhookUrl: url }));
		await firstTry(here, webhooks);
		const [file = ''] = filesIn(path.join(here.folder, 'webhooks', 'deliveries'));
		utimesSync(file, begin / 1000, begin / 1000);
		const week = 7 * 24 * 3_600_000;
		await webhooks.deliveries.sweep(begin + week - 1000);
		expect(await kept(webhooks)).toHaveLength(1);
		await webhooks.deliveries.sweep(begin + week + 1000);
		expect(await kept(webhooks)).toEqual([]);
	});

	test('is listed for its owner alone, the newest first', async () => {
		const here = world();
		const webhooks = here.open();
		for (const [at, owner] of ['anna', 'bert', 'anna'].entries())
			await webhooks.send(
				event({ jobId: `trj_${at}`, owner, createdAt: begin / 1000 + at, webhookUrl: url }),
			);
		await firstTry(here, webhooks, 3);
		expect((await kept(webhooks)).map(({ jobId }) => jobId)).toEqual(['trj_2', 'trj_0']);
	});
});

describe('a new job', () => {
	test.each([
		[{ url: 'https://127.0.0.1/' }, 'webhook_url'],
		[{ url, secret: 'hunter2' }, 'webhook_secret'],
	])('with %j is refused for its %s', (webhook, param) => {
		expect(() => world().open().check(webhook)).toThrow(expect.objectContaining({ param }));
	});

	test('with a URL is right, with a secret and without', () => {
		world().open().check({ url, secret: newSecret() });
		world().open().check({ url });
	});
});
