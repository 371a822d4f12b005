/** Signed requests to an object store, tried again where that helps. */

import { setTimeout as after } from 'node:timers/promises';
import type { AwsV4Signer } from 'aws4fetch';
import { type Dispatcher, request } from 'undici';
import { EarshotError } from '../../errors.js';

export interface S3Place {
	readonly bucket: string;
	/** Such as `https://minio.example:9000`; '' = Amazon's of the region. */
	readonly endpoint: string;
	readonly region: string;
	readonly accessKeyId: string;
	readonly secretAccessKey: string;
	/** '' = none. */
	readonly sessionToken: string;
}

export interface S3Request {
	readonly method: 'GET' | 'PUT' | 'DELETE' | 'HEAD';
	/** Its key; '' = the bucket itself. */
	readonly object: string;
	readonly query?: Readonly<Record<string, string>>;
	readonly headers?: Readonly<Record<string, string>>;
	/** Of the body, in hex; absent = there is none. */
	readonly sha256?: string;
	/** Called once for each try. */
	readonly body?: () => AsyncIterable<Uint8Array>;
}

export interface S3Reply {
	readonly status: number;
	/** To be read to its end, or ended early. */
	readonly body: AsyncIterable<Uint8Array>;
	text(): Promise<string>;
}

export interface S3Client {
	/** Throws `closed` where the store cannot be reached or is busy, after some tries. */
	send(wanted: S3Request): Promise<S3Reply>;
}

const emptySha256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

/** Of a request in all its tries; then the caller's own patience counts. */
const retryDelaysMs = [100, 400, 1600];
const connectMs = 10_000;
const headersMs = 60_000;
const bodyMs = 60_000;

/** `signer`: the class of aws4fetch, which is loaded where it is needed. */
export function createS3Client(place: S3Place, signer: typeof AwsV4Signer): S3Client {
	const sendOnce = async (wanted: S3Request): Promise<S3Reply> => {
		const { method, headers = {}, sha256 = emptySha256, body } = wanted;
		const { accessKeyId, secretAccessKey, sessionToken, region } = place;
		const signed = await new signer({
			method,
			url: urlOf(place, wanted),
			headers: { ...headers, 'x-amz-content-sha256': sha256 },
			accessKeyId,
			secretAccessKey,
			...(sessionToken !== '' && { sessionToken }),
			region,
			service: 's3',
		}).sign();
		const reply = await request(signed.url, {
			method: method as Dispatcher.HttpMethod,
			headers: [...signed.headers].flat(),
			...(body && { body: body() as never }),
			headersTimeout: headersMs,
			bodyTimeout: bodyMs,
			signal: AbortSignal.timeout(connectMs + headersMs + 3_600_000),
		});
		return { status: reply.statusCode, body: reply.body, text: () => reply.body.text() };
	};
	return {
		async send(wanted) {
			for (let attempt = 0; ; attempt++) {
				const ms = retryDelaysMs[attempt];
				let reason: string;
				try {
					const reply = await sendOnce(wanted);
					if (!isBusy(reply.status)) return reply;
					if (ms === undefined) return reply;
					await reply.text();
					reason = `status ${reply.status}`;
				} catch (thrown) {
					reason = thrown instanceof Error ? thrown.message : String(thrown);
				}
				if (ms === undefined) throw new EarshotError('closed', `The blob store cannot be reached: ${reason}`);
				await after(ms);
			}
		},
	};
}

const isBusy = (status: number): boolean => status === 429 || status >= 500;

/** By path where the endpoint is given, as MinIO and most others want it; by host name at Amazon's. Pure. */
export function urlOf({ endpoint, bucket, region }: S3Place, { object, query }: S3Request): string {
	const base = endpoint === '' ? `https://${bucket}.s3.${region}.amazonaws.com` : `${endpoint}/${bucket}`;
	const url = new URL(`${base}/${object.split('/').map(encodeURIComponent).join('/')}`);
	for (const [name, value] of Object.entries(query ?? {})) url.searchParams.set(name, value);
	return url.href;
}
