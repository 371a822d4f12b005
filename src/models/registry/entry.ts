/** A model that this machine can serve, as the registry hands it to a host: plain data. */

import type { GgmlType, SherpaType } from '../types/types.js';

interface EntryBase {
	readonly id: string;
	readonly aliases: readonly string[];
	/** Role → absolute path. */
	readonly files: Readonly<Record<string, string>>;
	readonly options: Readonly<Record<string, string | number | boolean>>;
	/** Languages the user or the catalog says it hears; null = not told. */
	readonly languages: readonly string[] | null;
	readonly ownedBy: string;
	/** The bundled model that hears digits only. */
	readonly demo: boolean;
	/** How long it stays in memory without work, as models.yaml says; Infinity = for ever, 0 = not at all. */
	readonly keepAliveMs?: number;
	/** Where it can be fetched from, as models.yaml says. */
	readonly download?: EntryDownload;
}

export interface EntryDownload {
	readonly url: string;
	/** Folder in the archive; '' = the only one. */
	readonly archiveSubdir: string;
	readonly sha256: string | null;
	/** Absolute: the entry's `dir`. */
	readonly dir: string;
}

export type ModelEntry =
	| (EntryBase & { readonly type: GgmlType })
	| (EntryBase & { readonly type: SherpaType });

/** The entry of that id, else of that alias. */
export function findIn(entries: readonly ModelEntry[], wanted: string): ModelEntry | undefined {
	return entries.find(({ id }) => id === wanted) ?? entries.find(({ aliases }) => aliases.includes(wanted));
}

export const modelIdRule = 'an id of letters, digits and . _ - : / @';

/** Names of files are made of it. Pure. */
export function isModelId(id: string): boolean {
	return /^\w[\w.:/@-]{0,127}$/.test(id) && !id.includes('..');
}
