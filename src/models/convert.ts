/** Converts a user's CTranslate2 folder to a model in the store, since whisper.cpp reads ggml files only. */

import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { earshot } from '../core/command-line.js';
import { type Disk, diskFailure, makeFolder, realDisk } from '../core/disk/disk.js';
import { takeLock } from '../core/disk/lock.js';
import { EarshotError } from '../core/errors.js';
import { BadCtranslate2 } from '../model-files/ctranslate2-file.js';
import { convertCtranslate2, openCtranslate2 } from '../model-files/ctranslate2-folder.js';
import { checkSpace } from './store/disk-space.js';
import { type Manifest, placeOf, type Store } from './store/store.js';
import { whisperType } from './types/types.js';

export interface ConvertDeps {
	readonly store: Store;
	readonly signal: AbortSignal;
	readonly onProgress?: (written: number, total: number) => void;
	/** For tests. */
	readonly disk?: Disk;
}

export interface Converted {
	readonly manifest: Manifest;
	/** Value of the option `alignment_heads` in models.yaml; '' = none. */
	readonly alignmentHeads: string;
}

/** Leaves nothing behind on failure, and never changes the folder. Throws `invalid_request`, `conflict`, `disk_full`,
 * `config_invalid`, `cancelled`. */
export async function convertFolder(folder: string, id: string, deps: ConvertDeps): Promise<Converted> {
	const { store, signal } = deps;
	try {
		const opened = await openCtranslate2(folder);
		await makeFolder(store.modelDir);
		const lock = await takeLock(await store.lockPath(id), signal);
		try {
			if (store.manifest(id) !== undefined)
				throw new EarshotError(
					'conflict',
					`the model folder already has a model \`${id}\`; choose another id with --id, or remove it: ${earshot(`rm ${id}`)}`,
					{ param: 'id' },
				);
			const locked = { ...deps, signal: AbortSignal.any([signal, lock.lost]) };
			return { manifest: await make(opened, folder, id, locked), alignmentHeads: opened.alignmentHeads };
		} finally {
			await lock.release();
		}
	} catch (thrown) {
		if (thrown instanceof EarshotError) throw thrown;
		if (signal.aborted)
			throw new EarshotError('cancelled', 'the conversion was cancelled', { cause: thrown });
		if (thrown instanceof BadCtranslate2)
			throw new EarshotError('invalid_request', `${folder} cannot be used as a model: ${thrown.message}`, {
				cause: thrown,
				param: 'path',
			});
		throw diskFailure(thrown, store.modelDir) ?? thrown;
	}
}

async function make(
	opened: Awaited<ReturnType<typeof openCtranslate2>>,
	folder: string,
	id: string,
	{ store, signal, onProgress, disk = realDisk }: ConvertDeps,
): Promise<Manifest> {
	const incoming = await store.incoming(id);
	try {
		await checkSpace(id, opened.bytes, store, disk, incoming);
		const model = path.join(incoming, 'model');
		await rm(model, { recursive: true, force: true });
		await mkdir(model);
		const place = placeOf(id);
		const name = `ggml-${place}.bin`;
		const progress = onProgress ? { onProgress } : {};
		const made = await convertCtranslate2(opened, path.join(model, name), { disk, signal, ...progress });
		const manifest: Manifest = {
			id,
			folder: place,
			files: [{ path: name, ...made, pinned: true }],
			roles: { model: name },
			type: whisperType,
			use: 'transcription',
			licence: '',
			pulledAt: new Date().toISOString(),
			madeOf: path.resolve(folder),
		};
		await store.arrive(manifest, model);
		return manifest;
	} finally {
		await rm(incoming, { recursive: true, force: true });
	}
}
