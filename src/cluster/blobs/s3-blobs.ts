/** A blob store in an object store with the S3 API. */

import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { isInnerPath } from '../../core/disk/inner-path.js';
import { EarshotError } from '../../core/errors.js';
import type { BlobRange, BlobRef, BlobStore, StoredBlob } from '../../jobs/blobs.js';
import { asDiskFull, writeBlobFile } from './blob-file.js';
import type { S3Client, S3Reply } from './s3-client.js';

export interface S3BlobsOptions {
	readonly client: S3Client;
	/** '', or a prefix that ends with a slash. */
	readonly prefix: string;
	/** Where uploads are kept until their size and digest are known. */
	readonly tempFolder: string;
}

/** Each blob is one object, uploaded by a single PUT of at most 5 GiB. */
export class S3Blobs implements BlobStore {
	readonly #options: S3BlobsOptions;

	constructor(options: S3BlobsOptions) {
		this.#options = options;
	}

	async put(key: string, source: AsyncIterable<Uint8Array>): Promise<BlobRef> {
		const file = path.join(this.#options.tempFolder, `blob-${randomUUID()}`);
		try {
			const written = await writeBlobFile(file, source);
			await this.#upload(key, file, written);
			return { key, ...written };
		} catch (thrown) {
			throw asDiskFull(thrown);
		} finally {
			await rm(file, { force: true });
		}
	}

	async putFile(key: string, file: string): Promise<BlobRef> {
		try {
			// The file is read twice: the signature contains the digest, so that the store refuses data corrupted in
			// transit.
			return await this.put(key, createReadStream(file));
		} finally {
			await rm(file, { force: true });
		}
	}

	async *get(key: string, range?: BlobRange): AsyncGenerator<Uint8Array> {
		const { start = 0, end } = range ?? {};
		if (end !== undefined && end <= start) return;
		const isWhole = start === 0 && end === undefined;
		const headers = isWhole ? {} : { range: `bytes=${start}-${end === undefined ? '' : end - 1}` };
		const reply = await this.#options.client.send({ method: 'GET', object: this.#objectOf(key), headers });
		if (reply.status === 404) {
			await reply.text();
			throw new EarshotError('not_found', `Nothing is stored as \`${key}\``);
		}
		if (reply.status === 416) {
			await reply.text();
			return;
		}
		await accepted(reply, [200, 206]);
		yield* reply.body;
	}

	fileOf(): undefined {
		return undefined;
	}

	async delete(key: string): Promise<void> {
		const reply = await this.#options.client.send({ method: 'DELETE', object: this.#objectOf(key) });
		await accepted(reply, [200, 204, 404]);
		await reply.text();
	}

	async *list(prefix: string): AsyncGenerator<StoredBlob> {
		const { client, prefix: own } = this.#options;
		let token: string | undefined;
		do {
			const query = {
				'list-type': '2',
				prefix: own + prefix,
				...(token !== undefined && { 'continuation-token': token }),
			};
			const reply = await client.send({ method: 'GET', object: '', query });
			await accepted(reply, [200]);
			const page = readListing(await reply.text());
			for (const { key, ...stored } of page.blobs) yield { key: key.slice(own.length), ...stored };
			token = page.next;
		} while (token !== undefined);
	}

	async #upload(
		key: string,
		file: string,
		{ size, sha256 }: Pick<BlobRef, 'size' | 'sha256'>,
	): Promise<void> {
		const reply = await this.#options.client.send({
			method: 'PUT',
			object: this.#objectOf(key),
			headers: { 'content-length': String(size) },
			sha256,
			body: () => createReadStream(file),
		});
		await accepted(reply, [200]);
		await reply.text();
	}

	#objectOf(key: string): string {
		if (isInnerPath(key)) return this.#options.prefix + key;
		throw new EarshotError('not_found', `Nothing is stored as \`${key}\``);
	}
}

/** Throws an error with the store's code and message if the status is none of `statuses`. */
async function accepted(reply: S3Reply, statuses: readonly number[]): Promise<void> {
	if (statuses.includes(reply.status)) return;
	const text = await reply.text();
	const code = textOf(text, 'Code') ?? `status ${reply.status}`;
	throw new Error(`the blob store answered ${code}: ${textOf(text, 'Message') ?? text.slice(0, 200)}`);
}

export interface Listing {
	readonly blobs: readonly StoredBlob[];
	/** Continuation token of the next page; undefined on the last page. */
	readonly next: string | undefined;
}

/** Parses a reply to `ListObjectsV2`. Its elements have no attributes, and only three of them are needed. Pure. */
export function readListing(xml: string): Listing {
	const contents = [...xml.matchAll(/<Contents>([\s\S]*?)<\/Contents>/g)];
	return {
		blobs: contents.map(([, inner = '']) => ({
			key: textOf(inner, 'Key') ?? '',
			size: Number(textOf(inner, 'Size')),
			modifiedAt: Date.parse(textOf(inner, 'LastModified') ?? '') / 1000,
		})),
		next: textOf(xml, 'IsTruncated') === 'true' ? textOf(xml, 'NextContinuationToken') : undefined,
	};
}

function textOf(xml: string, name: string): string | undefined {
	const text = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1];
	return text?.replace(/&(lt|gt|quot|apos|amp|#\d+);/g, (_, entity: string) =>
		entity.startsWith('#') ? String.fromCodePoint(Number(entity.slice(1))) : (entities[entity] ?? ''),
	);
}

const entities: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' };
