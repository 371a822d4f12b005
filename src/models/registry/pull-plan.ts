/** Plans a pull: which files to download, from the catalog or from `download` in models.yaml. Pure. */

import path from 'node:path';
import { earshot } from '../../core/command-line.js';
import type { Config } from '../../core/config/settings.js';
import { EarshotError } from '../../core/errors.js';
import { type Catalog, isServable } from '../catalog/catalog.js';
import type { CatalogArchive, CatalogFile, CatalogModel, CatalogSource, Licence } from '../catalog/types.js';
import type { ModelEntry } from './entry.js';

export interface PullPlan {
	readonly id: string;
	readonly type: string;
	readonly use: string;
	/** Target folder, below the model folder. */
	readonly folder: string;
	readonly files: readonly CatalogFile[];
	readonly archive: CatalogArchive | null;
	/** Other sources of its only file. */
	readonly sources: readonly CatalogSource[];
	/** Role → path below the folder; null = identified by file name after unpacking. */
	readonly roles: Readonly<Record<string, string>> | null;
	/** null for models that the user configured in models.yaml. */
	readonly licence: Licence | null;
	readonly isServable: boolean;
}

export function planOfCatalog(model: CatalogModel): PullPlan {
	const { id, type, use, files, archive, sources = [], roles, licence } = model;
	return {
		id,
		type,
		use,
		folder: id,
		files,
		archive,
		sources,
		roles,
		licence,
		isServable: isServable(model),
	};
}

/** The plan from the entry's `download`, else from the catalog; undefined if neither has one. Throws `config_invalid`,
 * `conflict`. */
export function planFor(entry: ModelEntry, catalog: Catalog, modelDir: string): PullPlan | undefined {
	const own = planOfEntry(entry, modelDir);
	const model = own ? undefined : catalog.find(entry.id);
	return model ? planOfCatalogFor(entry, model, modelDir) : own;
}

/** Whether `earshot pull` can download the files to the paths in the entry. */
export function canBePulled(
	entry: ModelEntry,
	{ catalog, config }: { readonly catalog: Catalog; readonly config: Pick<Config, 'modelDir'> },
): boolean {
	if (entry.demo) return false;
	try {
		return planFor(entry, catalog, config.modelDir) !== undefined;
	} catch {
		// The entry's files are not where a download would put them.
		return false;
	}
}

/** undefined for an entry without `download`. Throws `config_invalid` for an incomplete one. */
function planOfEntry(entry: ModelEntry, modelDir: string): PullPlan | undefined {
	const { id, type, download, files } = entry;
	if (download === undefined) return undefined;
	const { url, archiveSubdir, sha256, dir } = download;
	const folder = path.relative(modelDir, dir).replaceAll(path.sep, '/');
	const paths = Object.entries(files).map(
		([role, file]) => [role, path.relative(dir, file).replaceAll(path.sep, '/')] as const,
	);
	if (folder === '' || folder.startsWith('../') || path.isAbsolute(folder))
		throw refusal(
			id,
			'dir',
			'a folder of its own below the model folder, since it is to be downloaded',
			folder,
		);
	const outside = paths.find(([, file]) => file.startsWith('../') || path.isAbsolute(file));
	if (outside)
		throw refusal(id, `files.${outside[0]}`, 'a file below `dir`, since it is to be downloaded', outside[1]);
	const shared = {
		id,
		type,
		use: 'transcription',
		folder,
		sources: [],
		roles: Object.fromEntries(paths),
		licence: null,
		isServable: true,
	};
	if (isArchive(url)) {
		return { ...shared, files: [], archive: { url, subdir: archiveSubdir, bytes: null, sha256 } };
	}
	const [only, ...more] = paths;
	if (only === undefined || more.length > 0)
		throw refusal(
			id,
			'download.url',
			'a .tar.bz2 or .tar.gz archive, since the model has several files',
			url,
		);
	return { ...shared, archive: null, files: [{ path: only[1], url, bytes: null, sha256 }] };
}

/** For an entry without `download` whose id is in the catalog: the catalog's files, in the entry's folder. Throws
 * `conflict` if the entry's files are not those of the catalog. */
function planOfCatalogFor(entry: ModelEntry, model: CatalogModel, modelDir: string): PullPlan {
	const plan = planOfCatalog(model);
	// The contents of an archive are unknown before it is unpacked, so the entry's files are assumed to be right.
	const roles = plan.roles ?? rolesBelow(commonFolder(entry), entry);
	const folders = Object.entries(roles).map(([role, file]) => {
		const given = path.relative(modelDir, entry.files[role] ?? '').replaceAll(path.sep, '/');
		return given.endsWith(`/${file}`) ? given.slice(0, -file.length - 1) : undefined;
	});
	const [folder] = folders;
	if (folder !== undefined && !folder.startsWith('..') && folders.every((each) => each === folder))
		return { ...plan, folder, roles };
	const files = Object.entries(roles).map(([role, file]) => `${role}: ${file}`);
	const { message, param } = refusal(
		entry.id,
		'files',
		`{${files.join(', ')}} in a folder below the model folder, or to have a \`download\``,
		Object.values(entry.files).join(', '),
	);
	throw new EarshotError(
		'conflict',
		`${message}. To pull it instead: ${earshot(`rm ${entry.id}`)}, and pull again`,
		{
			param,
		},
	);
}

/** The error for a model of models.yaml without a `download` that is not in the catalog. */
export function wasAdded(id: string): EarshotError {
	return new EarshotError(
		'conflict',
		`\`${id}\` was added from files on this machine: it has no \`download\` in models.yaml and is not in the catalog, so there is nothing to pull`,
	);
}

function commonFolder({ files }: ModelEntry): string {
	const folders = Object.values(files).map((file) => path.dirname(file));
	return folders.reduce((shortest, folder) => (folder.length < shortest.length ? folder : shortest));
}

function rolesBelow(folder: string, { files }: ModelEntry): Readonly<Record<string, string>> {
	const below = (file: string) => path.relative(folder, file).replaceAll(path.sep, '/');
	return Object.fromEntries(Object.entries(files).map(([role, file]) => [role, below(file)]));
}

export function isArchive(url: string): boolean {
	return URL.canParse(url) && /\.(tar|tar\.bz2|tbz2?|tar\.gz|tgz)$/i.test(new URL(url).pathname);
}

function refusal(id: string, field: string, expected: string, got: string): EarshotError {
	const param = `models.${id}.${field}`;
	return new EarshotError('config_invalid', `Expected \`${param}\` to be ${expected}, got \`${got}\``, {
		param,
	});
}

/** Disk space needed for the pull; unknown sizes count as 0. */
export function bytesOnDisk({ files, archive }: Pick<PullPlan, 'files' | 'archive'>): number {
	const sizeOf = (part: CatalogArchive | CatalogFile) => part.bytes ?? part.aboutBytes ?? 0;
	// The archive, and its contents, which are half as large again.
	if (archive) return 2.5 * sizeOf(archive);
	return files.reduce((sum, file) => sum + sizeOf(file), 0);
}

/** Disk space for a source: the download, what is extracted from it (about as large as the file), and the file. */
export function bytesOfSource(source: CatalogSource, file: Pick<CatalogFile, 'bytes'>): number {
	const made = file.bytes ?? 0;
	if (source.form === 'file') return made;
	if (source.form === 'wheel') return source.bytes + 2 * made;
	return source.files.reduce((sum, { bytes, aboutBytes }) => sum + (bytes ?? aboutBytes ?? 0), made);
}
