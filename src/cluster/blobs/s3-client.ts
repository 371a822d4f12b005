/** Sends signed requests to an object store, with retries for transient failures. */

import { setTimeout as after } from 'node:timers/promises';
import type { AwsV4Signer } from 'aws4fetch';
import { type Dispatcher, request } from 'undici';
import { EarshotError } from '../../core/errors.js';

export interface S3Place {
	readonly bucket: string;
	/** Such as `https://minio.example:9000`; '' = Amazon's endpoint of the region. */
	readonly endpoint: string;
	readonly region: string;
	readonly accessKeyId: string;
	readonly secretAccessKey: string;
	/** '' = none. */
	readonly sessionToken: string;
}

export interface S3Request {
	readonly method: 'GET' | 'PUT' | 'DELETE' | 'HEAD';
	/** Key of the object; '' = the bucket itself. */
	readonly object: string;
	readonly query?: Readonly<Record<string, string>>;
	readonly headers?: Readonly<Record<string, string>>;
	/** SHA-256 of the body, in hex; absent = no body. */
	readonly sha256?: string;
	/** Called once per attempt. */
	readonly body?: () => AsyncIterable<Uint8Array>;
}

export interface S3Reply {
	readonly status: number;
	/** The caller must read it to its end, or destroy it. */
	readonly body: AsyncIterable<Uint8Array>;
	text(): Promise<string>;
}

export interface S3Client {
	/** Throws `closed` if the store cannot be reached after several attempts. If it stays busy, the last reply is
	 * returned. */
	send(wanted: S3Request): Promise<S3Reply>;
}

const emptySha256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

/** Delays between the attempts of one request; further retries are up to the caller. */
const retryDelaysMs = [100, 400, 1600];
const connectMs = 10_000;
const headersMs = 60_000;
const bodyMs = 60_000;

/** `signer`: the class of aws4fetch, which is imported only when needed. */
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

/** Path-style if an endpoint is set, as MinIO and most others require; virtual-hosted-style for Amazon. Pure. */
export function urlOf({ endpoint, bucket, region }: S3Place, { object, query }: S3Request): string {
	const base = endpoint === '' ? `https://${bucket}.s3.${region}.amazonaws.com` : `${endpoint}/${bucket}`;
	const url = new URL(`${base}/${object.split('/').map(encodeURIComponent).join('/')}`);
	for (const [name, value] of Object.entries(query ?? {})) url.searchParams.set(name, value);
	return url.href;
}
