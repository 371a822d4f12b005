/** A small object store with the API of S3, which checks signatures, digests and lengths as the real ones do. */

import { createHash, createHmac } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface FakeS3 {
	readonly endpoint: string;
	readonly region: string;
	readonly bucket: string;
	readonly accessKeyId: string;
	readonly secretAccessKey: string;
	/** By key. */
	readonly objects: Map<string, { readonly bytes: Buffer; readonly modified: Date }>;
	/** Method, path and status of each request. */
	readonly log: string[];
	/** The next requests are answered with this status. */
	failNext(times: number, status: number): void;
	/** Keys of a page of a listing; default 1000. */
	pageSize: number;
	close(): Promise<void>;
}

export async function startS3({ port = 0 } = {}): Promise<FakeS3> {
	const region = 'eu-test-1';
	const keys = { accessKeyId: 'AKIATEST', secretAccessKey: 'secret/of+the=test' };
	const objects: FakeS3['objects'] = new Map();
	const log: string[] = [];
	let failures = { times: 0, status: 503 };
	const server = createServer((request, response) => {
		void answer(request, response).then((status) => {
			log.push(`${request.method} ${request.url} ${status}`);
		});
	});
	const answer = async (request: IncomingMessage, response: ServerResponse): Promise<number> => {
		const pieces: Buffer[] = [];
		for await (const piece of request) pieces.push(piece as Buffer);
		const bytes = Buffer.concat(pieces);
		const end = (status: number, body: string | Buffer = '', headers: Record<string, string> = {}) => {
			response.writeHead(status, headers).end(body);
			return status;
		};
		const refuse = (status: number, code: string) =>
			end(status, `<Error><Code>${code}</Code><Message>refused by the test</Message></Error>`);
		if (failures.times > 0) {
			failures.times--;
			return refuse(failures.status, 'SlowDown');
		}
		const fault = faultOf(request, bytes, { region, ...keys });
		if (fault !== undefined) return refuse(fault === 'MissingContentLength' ? 411 : 403, fault);
		const url = new URL(request.url ?? '', fake.endpoint);
		const key = decodeURIComponent(url.pathname).replace(`/${fake.bucket}/`, '');
		if (key === '') return end(200, listing(fake, url.searchParams));
		const found = objects.get(key);
		if (request.method === 'PUT') {
			objects.set(key, { bytes, modified: new Date() });
			return end(200);
		}
		if (request.method === 'DELETE') {
			objects.delete(key);
			return end(204);
		}
		if (found === undefined) return refuse(404, 'NoSuchKey');
		const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
		if (from === undefined) return end(200, found.bytes);
		if (Number(from) >= found.bytes.length) return refuse(416, 'InvalidRange');
		return end(206, found.bytes.subarray(Number(from), to === '' ? undefined : Number(to) + 1));
	};
	await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
	const fake: FakeS3 = {
		endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
		region,
		bucket: 'recordings',
		...keys,
		objects,
		log,
		pageSize: 1000,
		failNext: (times, status) => {
			failures = { times, status };
		},
		close: async () => {
			server.closeAllConnections();
			await new Promise<void>((resolve) => server.close(() => resolve()));
		},
	};
	return fake;
}

const sha256 = (bytes: string | Buffer): string => createHash('sha256').update(bytes).digest('hex');
const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();

interface Keys {
	readonly region: string;
	readonly accessKeyId: string;
	readonly secretAccessKey: string;
}

/** AWS Signature Version 4, computed anew from the request; undefined if everything agrees. */
function faultOf(request: IncomingMessage, bytes: Buffer, keys: Keys): string | undefined {
	const { method = '', url = '', headers } = request;
	const [, credential = '', names = '', signature = ''] =
		/^AWS4-HMAC-SHA256 Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=(\w+)$/.exec(
			headers.authorization ?? '',
		) ?? [];
	const [id, day = '', region, service] = credential.split('/');
	if (id !== keys.accessKeyId || region !== keys.region || service !== 's3') return 'InvalidAccessKeyId';
	if (!['host', 'x-amz-content-sha256', 'x-amz-date'].every((name) => names.split(';').includes(name)))
		return 'AccessDenied';
	if (method === 'PUT' && headers['content-length'] === undefined) return 'MissingContentLength';
	if (headers['x-amz-content-sha256'] !== sha256(bytes)) return 'XAmzContentSHA256Mismatch';
	const parsed = new URL(url, 'http://host');
	const query = [...parsed.searchParams]
		.map((pair) => pair.map(escaped).join('='))
		.sort()
		.join('&');
	const canonical = [
		method,
		parsed.pathname,
		query,
		...names.split(';').map((name) => `${name}:${String(headers[name]).trim()}`),
		'',
		names,
		headers['x-amz-content-sha256'],
	].join('\n');
	const scope = `${day}/${region}/s3/aws4_request`;
	const text = ['AWS4-HMAC-SHA256', headers['x-amz-date'], scope, sha256(canonical)].join('\n');
	const key = [region ?? '', 's3', 'aws4_request'].reduce<Buffer>(
		(before, part) => hmac(before, part),
		hmac(`AWS4${keys.secretAccessKey}`, day),
	);
	return hmac(key, text).toString('hex') === signature ? undefined : 'SignatureDoesNotMatch';
}

const escaped = (text: string): string =>
	encodeURIComponent(text).replace(
		/[!'()*]/g,
		(letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`,
	);

function listing({ objects, pageSize }: FakeS3, query: URLSearchParams): string {
	const prefix = query.get('prefix') ?? '';
	const after = query.get('continuation-token') ?? '';
	const keys = [...objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort();
	const page = keys.slice(0, pageSize);
	const isTruncated = keys.length > page.length;
	const contents = page.map((key) => {
		const { bytes, modified } = objects.get(key)!;
		return `<Contents><Key>${key.replaceAll('&', '&amp;')}</Key><LastModified>${modified.toISOString()}</LastModified><Size>${bytes.length}</Size></Contents>`;
	});
	const next = isTruncated ? `<NextContinuationToken>${page.at(-1)}</NextContinuationToken>` : '';
	return `<?xml version="1.0"?><ListBucketResult><IsTruncated>${isTruncated}</IsTruncated>${contents.join('')}${next}</ListBucketResult>`;
}
