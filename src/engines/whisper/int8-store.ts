/** Stores the 8-bit weights of Whisper encoders: converted on first use, kept in the model folder while the source
 * model exists unchanged. */

import { fork } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { childEnvironment } from '../../core/config/environment.js';
import { type Disk, diskFailure, makeFolder, realDisk, renameOver } from '../../core/disk/disk.js';
import { codeOf, EarshotError, reasonOf } from '../../core/errors.js';
import { Int8Files, int8Suffix } from '../../models/store/int8-files.js';
import { type Int8Layout, int8Layout, int8SourceOf, isUpToDate } from './int8-weights.js';

export interface Int8File {
	readonly path: string;
	readonly layout: Int8Layout;
}

/** Replaced in tests. */
export interface Int8Deps {
	readonly disk: Pick<Disk, 'freeBytes'>;
	/** Available memory, bytes. */
	readonly freeMemory: () => number;
	/** Writes the 8-bit weights of the ggml file `source` to `target`. */
	readonly make: (source: string, target: string) => Promise<void>;
}

/** The answer of the converting process. */
export type Int8Outcome =
	| { readonly ok: true }
	| { readonly ok: false; readonly code: string; readonly message: string };

/** The compiled script, also when this file runs from source. */
const script = fileURLToPath(new URL('../../../dist/engines/whisper/int8-process.js', import.meta.url));
/** Disk space to leave free. */
const reservedBytes = 64 * 2 ** 20;
/** Memory of a Node process. */
const processBytes = 100 * 2 ** 20;

export class Int8Store {
	readonly #files: Int8Files;
	readonly #deps: Int8Deps;

	constructor(modelDir: string, deps: Partial<Int8Deps> = {}) {
		this.#files = new Int8Files(modelDir);
		this.#deps = {
			disk: realDisk,
			freeMemory: () => process.availableMemory(),
			make: makeInProcess,
			...deps,
		};
	}

	/**
	 * The 8-bit weights of a ggml file, which may be in any folder. `again`: convert even if they exist. Throws
	 * `disk_full`, `out_of_memory`, `config_invalid` if the model folder is not writable, `model_load_failed` if the file
	 * is not a whisper.cpp model or a weight is not finite.
	 */
	async weightsOf(file: string, again = false): Promise<Int8File> {
		const source = realpathSync(file);
		const target = this.#files.pathOf(source);
		const layout = int8Layout(source);
		if (!again && isUpToDate(target, layout)) return { path: target, layout };
		try {
			await makeFolder(this.#files.folder);
			// One conversion at a time: it takes much memory, and several runners may request it at once.
			await this.#files.alone(async () => {
				// Another process may have converted it in the meantime.
				if (!again && isUpToDate(target, layout)) return;
				await this.#removeStale();
				await this.#checkSpace(layout);
				const fresh = `${target}.new`;
				await this.#deps.make(source, fresh);
				await renameOver(fresh, target);
			});
		} catch (thrown) {
			throw failureOf(thrown, this.#files.folder);
		}
		return { path: target, layout };
	}

	/** Removes leftovers of crashed processes, and weights whose source was deleted. */
	async #removeStale(): Promise<void> {
		for (const name of await readdir(this.#files.folder)) {
			const file = path.join(this.#files.folder, name);
			const source = name.endsWith(int8Suffix) ? int8SourceOf(file) : undefined;
			if (name.endsWith('.new') || (source !== undefined && !existsSync(source)))
				await rm(file, { force: true });
		}
	}

	async #checkSpace({ bytes, workingBytes }: Int8Layout): Promise<void> {
		const inGb = (size: number) => `${(size / 1e9).toFixed(2)} GB`;
		const disk = await this.#deps.disk.freeBytes(this.#files.folder);
		if (disk !== null && disk < bytes + reservedBytes)
			throw new EarshotError(
				'disk_full',
				`the 8-bit weights need ${inGb(bytes + reservedBytes)} on the disk of ${this.#files.folder}, and ${inGb(disk)} are free; free some, or choose another --encoder`,
			);
		const memory = this.#deps.freeMemory();
		const needed = processBytes + workingBytes;
		if (memory < needed)
			throw new EarshotError(
				'out_of_memory',
				`converting to 8-bit weights needs ${inGb(needed)} of memory, and ${inGb(memory)} are free; free some, or choose another --encoder`,
			);
	}
}

function failureOf(thrown: unknown, folder: string): EarshotError {
	if (thrown instanceof EarshotError) return thrown;
	const why = reasonOf(thrown);
	const isFull = ['ENOSPC', 'EDQUOT'].includes(codeOf(thrown));
	return (
		(isFull ? undefined : diskFailure(thrown, folder)) ??
		new EarshotError(isFull ? 'disk_full' : 'internal', `the 8-bit weights could not be created: ${why}`, {
			cause: thrown,
		})
	);
}

/** In a separate process: it takes seconds of CPU time, and memory that a runner would not give back. */
function makeInProcess(source: string, target: string): Promise<void> {
	return new Promise((resolve, reject) => {
		const child = fork(script, [source, target], {
			env: childEnvironment(),
			execArgv: [],
			stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
		});
		child.once('message', (answer: Int8Outcome) => {
			if (answer.ok) resolve();
			else if (answer.code === '') reject(new EarshotError('model_load_failed', answer.message));
			else reject(Object.assign(new Error(answer.message), { code: answer.code }));
		});
		child.once('error', reject);
		child.once('exit', (code, signal) => {
			const how = signal ?? String(code);
			reject(
				new EarshotError(
					'internal',
					`the process that converts to 8-bit weights ended without a result: ${how}`,
				),
			);
		});
	});
}
