/** Opens the blob store that a URL names. */

import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { s3Environment } from '../../core/config/environment.js';
import { createTempFolder } from '../../core/disk/temp-folder.js';
import { EarshotError } from '../../core/errors.js';
import { installed } from '../../core/optional-packages.js';
import type { BlobStore } from '../../jobs/blobs.js';
import { FolderBlobs } from '../../jobs/folder/folder-blobs.js';
import { S3Blobs } from './s3-blobs.js';
import { createS3Client } from './s3-client.js';

export interface OpenedBlobs {
	readonly blobs: BlobStore;
	close(): Promise<void>;
}

/** `url`: `file:///folder` of a folder shared by all machines, or `s3://bucket/prefix`. Throws `config_invalid`. */
export async function openBlobs(url: string): Promise<OpenedBlobs> {
	const { protocol, host, pathname } = new URL(url);
	if (protocol === 'file:')
		return { blobs: new FolderBlobs(path.resolve(fileURLToPath(url))), close: async () => {} };
	const { AwsV4Signer } = await installed('aws4fetch', url, () => import('aws4fetch'));
	const { accessKeyId, secretAccessKey, ...more } = s3Environment();
	if (accessKeyId === '' || secretAccessKey === '')
		throw new EarshotError(
			'config_invalid',
			'Expected `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` to be set, since `blobs` is in S3',
			{ param: 'blobs' },
		);
	const client = createS3Client({ bucket: host, accessKeyId, secretAccessKey, ...more }, AwsV4Signer);
	const temporary = await createTempFolder();
	const inner = pathname.replace(/^\/+|\/+$/g, '');
	return {
		blobs: new S3Blobs({ client, prefix: inner === '' ? '' : `${inner}/`, tempFolder: temporary.path }),
		close: () => temporary.remove(),
	};
}
