/** Jobs whose recordings the server fetches. */

import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Arranged, arrange, form, send, wav } from '../../helpers/net/server.js';

/** A host of recordings; its HOST:PORT. */
async function files(answer: RequestListener): Promise<string> {
	const server = createServer(answer);
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	onTestFinished(() => {
		server.closeAllConnections();
		server.close();
	});
	return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const recording: RequestListener = (_, response) => response.end(wav);

const jobs = '/v1/transcription_jobs';

function submit(server: Arranged, fields: Record<string, string>, path = jobs, file?: Buffer) {
	const body = file ? form(fields, file) : new FormData();
	if (!file) for (const [name, value] of Object.entries(fields)) body.append(name, value);
	return send(`${server.url}${path}`, { method: 'POST', body });
}

test('a recording is fetched from a host that is allowed, and its URL is not kept', async () => {
	const asked: string[] = [];
	const place = await files((request, response) => {
		asked.push(request.url ?? '');
		response.end(wav);
	});
	const server = await arrange({ fetchHosts: [place] });
	const { status, json } = await submit(server, {
		url: `http://${place}/a.wav?signature=secret`,
		prompt: 'x',
	});
	expect(status).toBe(202);
	const job = await send(`${server.url}${jobs}/${json.id}?wait=60`);
	expect(job.json).toMatchObject({ status: 'completed' });
	expect(asked).toEqual(['/a.wav?signature=secret']);
	expect(server.model.calls[0]?.bytes.equals(wav)).toBe(true);
	expect(server.model.calls[0]?.options.prompt).toBe('x');
	// Signed anew, it is the same request.
	const again = await submit(server, { url: `http://${place}/a.wav?signature=other`, prompt: 'x' });
	expect([again.status, again.json.id]).toEqual([200, json.id]);
	expect(JSON.stringify([job, again])).not.toContain('signature');
});

describe('a job is refused', () => {
	test.each([
		['http://127.0.0.1:9/a', 'of a host that `--allow-fetch` names, got `127.0.0.1:9`'],
		['http://localhost:PORT/a', 'of a host that `--allow-fetch` names, got `localhost:PORT`'],
		['http://PLACE.example/a', 'an http or https URL'],
		['http://169.254.169.254/latest/meta-data', 'of a host that `--allow-fetch` names'],
		['ftp://PLACE/a', 'an http or https URL'],
		['file:///etc/passwd', 'an http or https URL'],
		['a.wav', 'an http or https URL'],
		['http://user:s3cret@PLACE/a', 'a URL without user and password'],
	])('with the URL %s', async (url, message) => {
		let asked = 0;
		const place = await files((_, response) => {
			asked++;
			response.end(wav);
		});
		const server = await arrange({ fetchHosts: [place] });
		const port = place.split(':')[1] ?? '';
		const filled = (text: string) => text.replace('PLACE', place).replace('PORT', port);
		const { status, json } = await submit(server, { url: filled(url) });
		expect([status, json.error.code, json.error.param]).toEqual([400, 'invalid_request', 'url']);
		expect(json.error.message).toContain(filled(`Expected \`url\` to be ${message}`));
		expect(json.error.message).not.toContain('s3cret');
		expect(asked).toBe(0);
	});

	test('where no host is allowed', async () => {
		const server = await arrange();
		const { status, json } = await submit(server, { url: 'https://files.example/a.wav' });
		expect([status, json.error.code, json.error.param]).toEqual([400, 'unsupported_value', 'url']);
		expect(json.error.message).toContain('--allow-fetch HOSTS');
	});

	test('with both a file and a URL', async () => {
		const place = await files(recording);
		const server = await arrange({ fetchHosts: [place] });
		const url = `http://${place}/a.wav`;
		const { status, json } = await submit(server, { url }, jobs, wav);
		expect([status, json.error.message]).toEqual([
			400,
			'Expected `url` to be left out where the recording is sent, got `both`',
		]);
		const raw = await send(`${server.url}${jobs}?url=${encodeURIComponent(url)}`, {
			...{ method: 'POST', body: wav, headers: { 'content-type': 'audio/wav' } },
		});
		expect([raw.status, raw.json.error.param]).toEqual([400, 'url']);
		expect(server.leftovers()).toEqual([]);
	});

	test('with neither', async () => {
		const server = await arrange({ fetchHosts: ['files.example'] });
		const { status, json } = await submit(server, { prompt: 'x' });
		expect([status, json.error.param]).toEqual([400, 'file']);
	});

	test.each([
		['not found', 404, 400, 'invalid_request', 'got status 404 from PLACE'],
		[
			'a redirect',
			302,
			400,
			'invalid_request',
			'got status 302 from PLACE: give the URL to which it redirects',
		],
		['broken', 500, 502, 'download_failed', 'PLACE answered with status 500'],
	])('where the host answers that it is %s', async (_, answer, status, code, message) => {
		let asked = 0;
		const place = await files((_request, response) => {
			asked++;
			response.writeHead(answer, { location: 'http://127.0.0.1:9/inside' }).end('no');
		});
		const server = await arrange({ fetchHosts: [place] });
		const refused = await submit(server, { url: `http://${place}/a.wav?secret` });
		expect([refused.status, refused.json.error.code]).toEqual([status, code]);
		expect(refused.json.error.message).toContain(message.replace('PLACE', place));
		expect(refused.text).not.toContain('secret');
		expect(asked).toBe(1);
	});

	test('where nothing listens, or the connection breaks', async () => {
		const place = await files((_, response) => {
			response.writeHead(200, { 'content-length': '100' }).write('half');
			response.destroy();
		});
		const server = await arrange({ fetchHosts: [place, '127.0.0.1:9'] });
		for (const host of [place, '127.0.0.1:9']) {
			const { status, json } = await submit(server, { url: `http://${host}/a.wav` });
			expect([status, json.error.code]).toEqual([502, 'download_failed']);
		}
		expect(server.leftovers()).toEqual([]);
	});

	test.each([true, false])(
		'where the recording is too large, with its size declared: %s',
		async (isDeclared) => {
			const place = await files((_, response) => {
				if (isDeclared) response.setHeader('content-length', '200');
				response.write(Buffer.alloc(100));
				response.end(Buffer.alloc(100));
			});
			const server = await arrange({ fetchHosts: [place], maxUploadBytes: 150 });
			const { status, json } = await submit(server, { url: `http://${place}/a.wav` });
			expect([status, json.error.code]).toEqual([413, 'upload_too_large']);
			expect(server.leftovers()).toEqual([]);
		},
	);

	test('where the recording is empty', async () => {
		const place = await files((_, response) => response.end());
		const server = await arrange({ fetchHosts: [place] });
		const { status, json } = await submit(server, { url: `http://${place}/a.wav` });
		expect([status, json.error.param]).toEqual([400, 'url']);
	});
});

test('other routes fetch nothing: they say where to, and ignore it beside a file', async () => {
	let asked = 0;
	const place = await files((_, response) => {
		asked++;
		response.end(wav);
	});
	const server = await arrange({ fetchHosts: [place] });
	const path = '/v1/audio/transcriptions';
	const { status, json } = await submit(server, { url: `http://${place}/a.wav` }, path);
	expect([status, json.error.code, json.error.param]).toEqual([400, 'unsupported_value', 'url']);
	expect(json.error.message).toContain('POST /v1/transcription_jobs');
	expect((await submit(server, { url: `http://${place}/a.wav` }, path, wav)).status).toBe(200);
	expect(asked).toBe(0);
});
