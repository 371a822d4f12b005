import { execFileSync } from 'node:child_process';
import {
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Disk, realDisk } from '../../../src/core/disk/disk.js';
import type { EarshotError } from '../../../src/core/errors.js';
import {
	type DownloadDeps,
	type DownloadRequest,
	download,
	type Tuning,
} from '../../../src/models/pull/download.js';
import { openNetwork, sourceOf, tokenFor } from '../../../src/models/pull/network.js';
import { gate } from '../../helpers/fakes.js';
import { type Mirror, noise, sha256, startMirror } from '../../helpers/net/mirror.js';

const settings = {
	mirror: '',
	hubEndpoint: 'https://huggingface.co',
	hubToken: '',
	hubCache: '',
	httpProxy: '',
	httpsProxy: '',
	noProxy: '',
	pip: { indexUrl: '', cert: '', configFiles: [] },
};

/** Small numbers, so that small files go the ways of large ones. */
const small: Partial<Tuning> = {
	attempts: 4,
	windowMs: 500,
	windowBytes: 1000,
	parallelFromBytes: 1_000_000_000,
	saveEveryBytes: 10_000,
};

async function arrange(bytes = noise(100_000)) {
	const mirror = await startMirror();
	const folder = mkdtempSync(path.join(tmpdir(), 'earshot-test-'));
	const network = await openNetwork(settings, 2000);
	onTestFinished(async () => {
		await network.close();
		rmSync(folder, { recursive: true, force: true });
	});
	const to = path.join(folder, 'model.bin');
	const url = mirror.has('/model.bin', bytes);
	const waited: number[] = [];
	const fetch = (
		request: Partial<DownloadRequest> = {},
		deps: Partial<DownloadDeps> & { tuning?: Partial<Tuning> } = {},
	) =>
		download(
			{ url, to, bytes: bytes.length, sha256: sha256(bytes), ...request },
			{
				network,
				disk: realDisk,
				signal: AbortSignal.timeout(15_000),
				wait: async (ms) => void waited.push(ms),
				...deps,
				tuning: { ...small, ...deps.tuning },
			},
		);
	return { mirror, folder, to, url, bytes, fetch, waited, network };
}

async function refusal(work: Promise<unknown>): Promise<EarshotError> {
	return await work.then(
		() => {
			throw new Error('it succeeded');
		},
		(thrown: EarshotError) => thrown,
	);
}

function isWhole({ to, bytes, folder }: { to: string; bytes: Buffer; folder: string }): void {
	expect(readFileSync(to).equals(bytes)).toBe(true);
	expect(readdirSync(folder)).toEqual(['model.bin']);
}

describe('a download', () => {
	it('arrives whole, with its digest, and leaves nothing else', async () => {
		const all = await arrange();
		const seen: number[] = [];
		const done = await all.fetch({}, { onProgress: (received) => seen.push(received) });
		expect(done).toEqual({ bytes: 100_000, sha256: sha256(all.bytes) });
		isWhole(all);
		expect(seen.at(-1)).toBe(100_000);
	});

	it('reports size and digest of an unknown file', async () => {
		const all = await arrange();
		expect(await all.fetch({ bytes: null, sha256: null })).toEqual({
			bytes: 100_000,
			sha256: sha256(all.bytes),
		});
	});

	it('arrives from a server that does not say how long it is', async () => {
		const all = await arrange();
		all.mirror.spoilAll('/model.bin', { length: 'unsaid' });
		await all.fetch();
		isWhole(all);
		await all.fetch({ bytes: null, sha256: null });
		isWhole(all);
	});

	it('ends at the expected size, whatever follows', async () => {
		const all = await arrange();
		all.mirror.spoilAll('/model.bin', { length: 'endless' });
		await all.fetch();
		isWhole(all);
	});

	it.each([
		['that never ends', { length: 'endless' } as const],
		['that says so', { bytes: noise(300_001) }],
	])('of unknown size is refused above a bound, of a server %s', async (_, fault) => {
		const all = await arrange();
		all.mirror.spoilAll('/model.bin', fault);
		const error = await refusal(all.fetch({ bytes: null, sha256: null, maxBytes: 300_000 }));
		expect(error.code).toBe('download_corrupt');
		expect(error.message).toContain('is larger than 300000 bytes');
		expect(readdirSync(all.folder)).toEqual([]);
	});

	it('comes over several connections when it is large', async () => {
		const all = await arrange(noise(400_000));
		await all.fetch({}, { tuning: { parallelFromBytes: 300_000, connections: 3 } });
		isWhole(all);
		expect(all.mirror.starts('/model.bin').length).toBe(6);
	});

	it('survives removedRepetitions of several connections at once', async () => {
		const all = await arrange(noise(400_000));
		all.mirror.spoil('/model.bin', ...Array.from({ length: 7 }, (_, index) => ({ cutAfter: 3000 * index })));
		await all.fetch({}, { tuning: { parallelFromBytes: 300_000, connections: 4 } });
		isWhole(all);
	});

	it('goes on where a cut connection stopped', async () => {
		const all = await arrange();
		const [first, second] = [gate(), gate()];
		all.mirror.spoil(
			'/model.bin',
			{ cutAfter: 30_000, when: first.promise },
			{ cutAfter: 20_000, when: second.promise },
		);
		await all.fetch(
			{},
			{
				onProgress: (received) => {
					if (received >= 30_000) first.open();
					if (received >= 50_000) second.open();
				},
			},
		);
		isWhole(all);
		expect(all.mirror.starts('/model.bin')).toEqual([0, 30_000, 50_000]);
	});

	it('goes on where an earlier download was given up', async () => {
		const all = await arrange();
		const half = gate();
		all.mirror.spoil('/model.bin', { cutAfter: 50_000, when: half.promise });
		all.mirror.spoilAll('/model.bin', { status: 503 });
		const error = await refusal(
			all.fetch({}, { onProgress: (received) => received >= 50_000 && half.open() }),
		);
		expect(error.code).toBe('download_failed');
		expect(error.message).toMatch(/503.*resumes where it stopped/);
		expect(existsSync(all.to)).toBe(false);
		all.mirror.spoilAll('/model.bin', undefined);
		await all.fetch();
		isWhole(all);
		expect(all.mirror.starts('/model.bin').at(-1)).toBe(50_000);
	});

	it('starts again when the file has changed meanwhile', async () => {
		const all = await arrange();
		all.mirror.spoil('/model.bin', { bytes: noise(100_000, 7), stallAfter: 60_000 });
		const gone = new AbortController();
		const cancelled = refusal(
			all.fetch(
				{},
				{
					signal: gone.signal,
					onProgress: (received) => received > 40_000 && gone.abort(),
				},
			),
		);
		expect((await cancelled).code).toBe('cancelled');
		await all.fetch();
		isWhole(all);
	});

	it('is taken whole from a server that refuses ranges', async () => {
		const all = await arrange();
		all.mirror.spoilAll('/model.bin', { ranges: 'refused' });
		await all.fetch({}, { tuning: { parallelFromBytes: 1 } });
		isWhole(all);
	});

	it('starts again when a server that refuses ranges is cut', async () => {
		const all = await arrange();
		all.mirror.spoil('/model.bin', { cutAfter: 50_000 }, { ranges: 'refused' });
		await all.fetch();
		isWhole(all);
	});

	it('never joins parts of a server that does not name its versions', async () => {
		const all = await arrange();
		all.mirror.spoilAll('/model.bin', { validators: 'none' });
		await all.fetch({ sha256: null });
		isWhole(all);
	});

	it.each([
		[
			'a wrong size',
			{ bytes: noise(99_000) },
			'download_corrupt',
			'has 99000 bytes on the server instead of 100000',
		],
		['a wrong digest', { bytes: noise(100_000, 2) }, 'download_corrupt', 'has the SHA-256'],
		[
			'a web page',
			{ page: '<!doctype html><p>Log in' },
			'download_corrupt',
			'a web page instead of the file',
		],
		['404', { status: 404 }, 'download_failed', 'does not have this file'],
		['401', { status: 401 }, 'download_failed', 'HF_TOKEN'],
	] as const)(
		'is refused with %s, keeps nothing, and works the next time',
		async (_, fault, code, message) => {
			const all = await arrange();
			all.mirror.spoil('/model.bin', fault);
			const error = await refusal(all.fetch());
			expect(error.code).toBe(code);
			expect(error.message).toContain(message);
			expect(existsSync(all.to)).toBe(false);
			expect(all.mirror.asked.length).toBe(1);
			await all.fetch();
			isWhole(all);
		},
	);

	it('recognizes a web page if nothing of the file was known, whatever its content type', async () => {
		const all = await arrange();
		all.mirror.spoil('/model.bin', { bytes: Buffer.from('\n<!DOCTYPE html><html>') });
		const error = await refusal(all.fetch({ bytes: null, sha256: null }));
		expect(error.message).toContain('a web page instead of the file');
	});

	it('waits as long as a busy server requires', async () => {
		const all = await arrange();
		all.mirror.spoil('/model.bin', { status: 429, headers: { 'retry-after': '7' } });
		await all.fetch();
		isWhole(all);
		expect(all.waited).toEqual([7000]);
	});

	it('does not wait for a server that requires an hour', async () => {
		const all = await arrange();
		all.mirror.spoil('/model.bin', { status: 429, headers: { 'retry-after': '3600' } });
		expect((await refusal(all.fetch())).message).toContain('retry in 3600 s');
	});

	it('waits longer each time a server fails', async () => {
		const all = await arrange();
		all.mirror.spoil('/model.bin', { status: 500 }, { status: 502 }, { status: 500 });
		await all.fetch();
		expect(all.waited).toEqual([500, 1000, 2000]);
		isWhole(all);
	});

	it('gives a redirect loop up', async () => {
		const all = await arrange();
		all.mirror.spoilAll('/model.bin', { redirectTo: '/model.bin' });
		expect((await refusal(all.fetch())).message).toContain('redirects more than 10 times');
		all.mirror.spoilAll('/model.bin', undefined);
		await all.fetch();
		isWhole(all);
	});

	it('follows a redirect', async () => {
		const all = await arrange();
		all.mirror.has('/elsewhere', all.bytes);
		all.mirror.spoilAll('/model.bin', { redirectTo: '/elsewhere' });
		await all.fetch();
		isWhole(all);
	});

	it.each([
		['stalls', { stallAfter: 20_000 }],
		['trickles', { trickleMs: 5 }],
	])('disconnects from a server that %s, and retries', async (_, fault) => {
		const all = await arrange();
		all.mirror.spoil('/model.bin', fault);
		await all.fetch();
		isWhole(all);
		expect(all.mirror.asked.length).toBe(2);
	});

	it('reports a server that stalls each time', async () => {
		const all = await arrange();
		all.mirror.spoilAll('/model.bin', { stallAfter: 0 });
		expect((await refusal(all.fetch())).message).toContain('stopped sending');
	});

	it('reports a server that is not there', async () => {
		const all = await arrange();
		await all.mirror.close();
		const error = await refusal(all.fetch());
		expect(error.code).toBe('download_failed');
		expect(error.message).toMatch(/could not be downloaded: .*ECONNREFUSED/);
	});

	it('stops at once when it is cancelled, and goes on the next time', async () => {
		const all = await arrange();
		all.mirror.spoil('/model.bin', { stallAfter: 60_000 });
		const gone = new AbortController();
		const error = await refusal(
			all.fetch(
				{},
				{
					signal: gone.signal,
					onProgress: (received) => received >= 60_000 && gone.abort(),
					tuning: { windowMs: 10_000 },
				},
			),
		);
		expect(error.code).toBe('cancelled');
		await all.fetch();
		isWhole(all);
		expect(all.mirror.starts('/model.bin').at(-1)).toBeGreaterThan(0);
	});

	it('reports a full disk, and resumes when there is space', async () => {
		const all = await arrange();
		const error = await refusal(all.fetch({}, { disk: fullAfter(45_000) }));
		expect(error.code).toBe('disk_full');
		expect(error.message).toContain('free some space and pull again');
		expect(existsSync(all.to)).toBe(false);
		await all.fetch();
		isWhole(all);
	});
});

/** Four pieces for each file of 300,000 bytes and more. */
const inPieces: Partial<Tuning> = { parallelFromBytes: 300_000, connections: 2 };

describe('a large download that was interrupted', () => {
	const whole = { pieces: Infinity, everyMs: 0 };

	it.each([
		['in the first of two pieces', 1, [{ stallAfter: 30_000 }], 30_000],
		['at the end of the first of two pieces', 1, [whole, { stallAfter: 0 }], 200_000],
		['in the last of two pieces', 1, [whole, { stallAfter: 70_000 }], 270_000],
		['with two of four pieces begun', 2, [{ stallAfter: 70_000 }, { stallAfter: 60_000 }], 130_000],
	])('%s goes on with what is missing', async (_, connections, faults, stopAt) => {
		const all = await arrange(noise(400_000));
		const gone = new AbortController();
		all.mirror.spoil('/model.bin', ...faults);
		all.mirror.spoilAll('/model.bin', { stallAfter: 0 });
		const onProgress = (received: number): void => {
			if (received >= stopAt) gone.abort();
		};
		const tuning = { ...inPieces, connections, windowMs: 10_000 };
		const half = all.fetch({}, { signal: gone.signal, tuning, onProgress });
		expect((await refusal(half)).code).toBe('cancelled');
		all.mirror.spoilAll('/model.bin', undefined);

		const seen: number[] = [];
		await all.fetch({}, { tuning: inPieces, onProgress: (received) => seen.push(received) });
		expect(seen[0]).toBeGreaterThan(stopAt);
		isWhole(all);
	});

	it('of which all pieces had begun but the last goes on, with one connection', async () => {
		const all = await arrange(noise(400_000));
		writeFileSync(`${all.to}.part`, all.bytes.subarray(0, 230_000));
		const etag = `"${sha256(all.bytes)}"`;
		writeFileSync(
			`${all.to}.part.json`,
			noteOf(all.url, etag, 400_000, [100_000, 200_000, 230_000, 300_000]),
		);
		await all.fetch({}, { tuning: { ...inPieces, connections: 1 } });
		expect(all.mirror.starts('/model.bin')).toEqual([230_000, 300_000]);
		isWhole(all);
	});

	it('goes on without versions from the server where its digest is known', async () => {
		const all = await arrange();
		all.mirror.spoil('/model.bin', { stallAfter: 60_000, validators: 'none' });
		all.mirror.spoilAll('/model.bin', { validators: 'none' });
		const gone = new AbortController();
		const onProgress = (received: number): void => {
			if (received >= 50_000) gone.abort();
		};
		await refusal(all.fetch({}, { signal: gone.signal, onProgress }));
		await all.fetch();
		expect(all.mirror.starts('/model.bin').at(-1)).toBeGreaterThanOrEqual(50_000);
		isWhole(all);
	});

	it('is noted before it is large, where it is slow', async () => {
		const all = await arrange();
		all.mirror.spoil('/model.bin', { pieces: 10_000, everyMs: 1 });
		let noted = 0;
		await all.fetch(
			{},
			{
				tuning: { saveEveryBytes: Infinity, saveEveryMs: 0 },
				onProgress: () => {
					if (existsSync(`${all.to}.part.json`)) noted++;
				},
			},
		);
		expect(noted).toBeGreaterThan(0);
		isWhole(all);
	});
});

/** The note beside a part file of equal pieces: `reached` is the first missing byte of each. */
function noteOf(url: string, validator: string, total: number, reached: readonly number[]): string {
	const size = total / reached.length;
	const segments = reached.map((at, index) => ({ start: index * size, at, end: (index + 1) * size }));
	return JSON.stringify({ url, validator, total, segments });
}

describe('a part file that Earshot cannot have written', () => {
	const hostile: readonly (readonly [string, object | string])[] = [
		['is cut off', '{"url": "'],
		['is null', 'null'],
		['has no pieces', { segments: undefined }],
		['has an empty list of pieces', { segments: [] }],
		['has a piece of text', { segments: ['0-100000'] }],
		['leaves a hole', { segments: [piece(0, 40_000, 40_000), piece(60_000, 99_000, 100_000)] }],
		['ends early', { segments: [piece(0, 60_000, 60_000)] }],
		['ends late', { segments: [piece(0, 50_000, 200_000)] }],
		['has overlapping pieces', { segments: [piece(0, 60_000, 60_000), piece(50_000, 50_000, 100_000)] }],
		['has pieces in disorder', { segments: [piece(50_000, 50_000, 100_000), piece(0, 50_000, 50_000)] }],
		['begins below zero', { segments: [piece(-10, 0, 100_000)] }],
		[
			'has got further than its end',
			{ segments: [piece(0, 50_000, 40_000), piece(40_000, 40_000, 100_000)] },
		],
		['has got further than its file', { segments: [piece(0, 100_000, 100_000)] }],
		['counts in fractions', { segments: [piece(0, 0.5, 100_000)] }],
		['counts in texts', { segments: [{ start: '0', at: '50000', end: '100000' }] }],
		['has no validator', { validator: 7 }],
		['has no total', { total: null }],
		['has a total that is no number', { total: 1e300 }],
		['is huge', { padding: 'x'.repeat(2 ** 21) }],
	];

	function piece(start: number, at: number, end: number): object {
		return { start, at, end };
	}

	it.each(hostile)('is left when its note %s', async (_, change) => {
		const all = await arrange();
		const usual = {
			url: all.url,
			validator: `"${sha256(all.bytes)}"`,
			total: 100_000,
			segments: [piece(0, 50_000, 100_000)],
		};
		writeFileSync(`${all.to}.part`, Buffer.alloc(99_999));
		writeFileSync(
			`${all.to}.part.json`,
			typeof change === 'string' ? change : JSON.stringify({ ...usual, ...change }),
		);
		await all.fetch({ bytes: null, sha256: null });
		isWhole(all);
	});

	it('is not followed where it is a link', async () => {
		const all = await arrange();
		const precious = path.join(all.folder, 'precious');
		writeFileSync(precious, 'precious');
		symlinkSync(precious, `${all.to}.part`);
		symlinkSync(precious, `${all.to}.part.json.new`);
		all.mirror.spoil('/model.bin', { pieces: 10_000, everyMs: 1 });
		await all.fetch({}, { tuning: { saveEveryBytes: 1 } });
		expect(readFileSync(precious, 'utf8')).toBe('precious');
		rmSync(precious);
		isWhole(all);
	});

	it.skipIf(process.platform === 'win32')('is removed where it is a pipe or a folder', async () => {
		const all = await arrange();
		mkdirSync(`${all.to}.part`);
		execFileSync('mkfifo', [`${all.to}.part.json`]);
		await all.fetch();
		isWhole(all);
	});
});

/** A disk with room for so many bytes in each file. */
function fullAfter(room: number): Disk {
	return {
		...realDisk,
		async open(file) {
			const inner = await realDisk.open(file);
			return {
				write: async (bytes, position) => {
					if (position + bytes.length > room)
						throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
					await inner.write(bytes, position);
				},
				read: (buffer, position) => inner.read(buffer, position),
				size: () => inner.size(),
				truncate: (size) => inner.truncate(size),
				flush: () => inner.flush(),
				close: () => inner.close(),
			};
		},
	};
}

describe('the source of a file', () => {
	const published = 'https://huggingface.co/org/model/resolve/main/a.bin';

	it('is where it is published by default', () => {
		expect(sourceOf(published, settings)).toBe(published);
		expect(sourceOf('https://example.org/a?b', settings)).toBe('https://example.org/a?b');
	});

	it('is the hub that HF_ENDPOINT names, for files of the hub', () => {
		const other = { ...settings, hubEndpoint: 'http://hub.local:8000/hf' };
		expect(sourceOf(published, other)).toBe('http://hub.local:8000/hf/org/model/resolve/main/a.bin');
		expect(sourceOf('https://example.org/a', other)).toBe('https://example.org/a');
	});

	it('is the mirror, by host and path', () => {
		const mirrored = { ...settings, mirror: 'https://mirror.local/m' };
		expect(sourceOf(published, mirrored)).toBe(
			'https://mirror.local/m/huggingface.co/org/model/resolve/main/a.bin',
		);
	});
});

describe('the token of the hub', () => {
	const withToken = { ...settings, hubToken: 'hf_secret' };

	it('goes to the hub and nowhere else', () => {
		expect(tokenFor('https://huggingface.co/a', withToken)).toBe('hf_secret');
		expect(tokenFor('https://cdn-lfs.huggingface.co/a', withToken)).toBe('');
		expect(tokenFor('http://huggingface.co/a', withToken)).toBe('');
		expect(tokenFor('https://example.org/a', withToken)).toBe('');
		expect(
			tokenFor('https://mirror.local/huggingface.co/a', { ...withToken, mirror: 'https://mirror.local' }),
		).toBe('');
	});

	it('does not follow a redirect to another host', async () => {
		const bytes = noise(1000);
		const hub: Mirror = await startMirror();
		const store = await startMirror();
		hub.spoilAll('/org/m/resolve/main/a', { redirectTo: store.has('/blob', bytes) });
		const network = await openNetwork({ ...withToken, hubEndpoint: hub.url });
		onTestFinished(() => network.close());
		const reply = await network.get(
			'https://huggingface.co/org/m/resolve/main/a',
			{},
			AbortSignal.timeout(5000),
		);
		reply.drop();
		expect(hub.asked.map(({ authorization }) => authorization)).toEqual(['Bearer hf_secret']);
		expect(store.asked.map(({ authorization }) => authorization)).toEqual([undefined]);
	});
});

describe('a proxy', () => {
	it('is used where the environment names one, and not for hosts it excepts', async () => {
		const all = await arrange();
		const seen: string[] = [];
		const { createServer, request } = await import('node:http');
		const proxy = createServer((incoming, outgoing) => {
			seen.push(incoming.url ?? '');
			const { host, port, pathname } = new URL(incoming.url ?? '');
			request(
				{ host: '127.0.0.1', port, path: pathname, headers: { ...incoming.headers, host } },
				(answer) => {
					outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
					answer.pipe(outgoing);
				},
			).end();
		});
		proxy.on('connect', (incoming, socket) => {
			seen.push(incoming.url ?? '');
			const [host, port] = (incoming.url ?? '').split(':');
			void import('node:net').then(({ connect }) => {
				const onward = connect(Number(port), host ?? '', () => {
					socket.write('HTTP/1.1 200 OK\r\n\r\n');
					onward.pipe(socket).pipe(onward);
				});
				onward.on('error', () => socket.destroy());
				socket.on('error', () => onward.destroy());
			});
		});
		await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
		onTestFinished(async () => {
			proxy.closeAllConnections();
			await new Promise((resolve) => proxy.close(resolve));
		});
		const httpProxy = `http://127.0.0.1:${(proxy.address() as { port: number }).port}`;
		const proxied = await openNetwork({ ...settings, httpProxy });
		await all.fetch({}, { network: proxied });
		await proxied.close();
		isWhole(all);
		expect(seen.length).toBe(1);
		rmSync(all.to);
		const direct = await openNetwork({ ...settings, httpProxy, noProxy: '127.0.0.1' });
		await all.fetch({}, { network: direct });
		await direct.close();
		expect(seen.length).toBe(1);
	});
});
