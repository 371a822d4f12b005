/** The 8-bit weights of Whisper encoders: made when first asked for, kept in the model folder for as long as the
 * model that they are made of is here and as it was. */

import { fork } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { childEnvironment } from '../../config/environment.js';
import { codeOf, type Disk, diskFailure, realDisk, renameOver } from '../../disk/disk.js';
import { EarshotError } from '../../errors.js';
import { Int8Files, int8Suffix } from '../../models/store/int8-files.js';
import { type Int8Layout, int8Layout, int8SourceOf, isMade } from './int8-weights.js';

export interface Int8File {
	readonly path: string;
	readonly layout: Int8Layout;
}

/** For tests. */
export interface Int8Deps {
	readonly disk: Pick<Disk, 'freeBytes'>;
	/** Memory that may still be taken. */
	readonly freeMemory: () => number;
	/** Writes the weights of the ggml file `source` to `target`. */
	readonly make: (source: string, target: string) => Promise<void>;
}

/** What the process that makes one answers. */
export type Made =
	| { readonly ok: true }
	| { readonly ok: false; readonly code: string; readonly message: string };

/** The compiled one, wherever this file runs from. */
const script = fileURLToPath(new URL('../../../dist/engines/whisper/int8-process.js', import.meta.url));
/** What a disk keeps free. */
const spareBytes = 64 * 2 ** 20;
/** A process of Node's. */
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
	 * Those of a ggml file, wherever it lies. `again`: what is here is of no use. Throws `disk_full`, `out_of_memory`,
	 * `config_invalid` where the model folder cannot be written to, `model_load_failed` where the file is none of
	 * whisper.cpp or a weight is no finite number.
	 */
	async weightsOf(file: string, again = false): Promise<Int8File> {
		const source = realpathSync(file);
		const target = this.#files.pathOf(source);
		const layout = int8Layout(source);
		if (!again && isMade(target, layout)) return { path: target, layout };
		try {
			await mkdir(this.#files.folder, { recursive: true });
			// One at a time: they are large, and several slots of runners may ask at once.
			await this.#files.alone(async () => {
				// Somebody else may have made it meanwhile.
				if (!again && isMade(target, layout)) return;
				await this.#tidy();
				await this.#checkRoom(layout);
				const fresh = `${target}.new`;
				await this.#deps.make(source, fresh);
				await renameOver(fresh, target);
			});
		} catch (thrown) {
			throw failureOf(thrown, this.#files.folder);
		}
		return { path: target, layout };
	}

	/** What a process left that died, and weights whose source the user has deleted. */
	async #tidy(): Promise<void> {
		for (const name of await readdir(this.#files.folder)) {
			const file = path.join(this.#files.folder, name);
			const source = name.endsWith(int8Suffix) ? int8SourceOf(file) : undefined;
			if (name.endsWith('.new') || (source !== undefined && !existsSync(source)))
				await rm(file, { force: true });
		}
	}

	async #checkRoom({ bytes, workingBytes }: Int8Layout): Promise<void> {
		const inGb = (size: number) => `${(size / 1e9).toFixed(2)} GB`;
		const disk = await this.#deps.disk.freeBytes(this.#files.folder);
		if (disk !== null && disk < bytes + spareBytes)
			throw new EarshotError(
				'disk_full',
				`the 8-bit weights need ${inGb(bytes + spareBytes)} on the disk of ${this.#files.folder}, and ${inGb(disk)} are free`,
			);
		const memory = this.#deps.freeMemory();
		const needed = processBytes + workingBytes;
		if (memory < needed)
			throw new EarshotError(
				'out_of_memory',
				`making the 8-bit weights needs ${inGb(needed)} of memory, and ${inGb(memory)} are free`,
			);
	}
}

function failureOf(thrown: unknown, folder: string): EarshotError {
	if (thrown instanceof EarshotError) return thrown;
	const why = thrown instanceof Error ? thrown.message : String(thrown);
	const isFull = ['ENOSPC', 'EDQUOT'].includes(codeOf(thrown));
	return (
		(isFull ? undefined : diskFailure(thrown, folder)) ??
		new EarshotError(isFull ? 'disk_full' : 'internal', `the 8-bit weights could not be made: ${why}`, {
			cause: thrown,
		})
	);
}

/** In a process of its own: it takes seconds of a processor, and memory that a host would keep. */
function makeInProcess(source: string, target: string): Promise<void> {
	return new Promise((resolve, reject) => {
		const child = fork(script, [source, target], {
			env: childEnvironment(),
			execArgv: [],
			stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
		});
		child.once('message', (answer: Made) => {
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
					`the process that makes 8-bit weights has ended without an answer: ${how}`,
				),
			);
		});
	});
}
