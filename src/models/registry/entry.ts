/** A model that this machine can serve, as plain data that is sent to a runner. */

import type { diarizationType } from '../../core/speech/model-info.js';
import type { GgmlType, SherpaType } from '../types/types.js';

interface EntryBase {
	readonly id: string;
	readonly aliases: readonly string[];
	/** Role → absolute path. */
	readonly files: Readonly<Record<string, string>>;
	readonly options: Readonly<Record<string, string | number | boolean>>;
	/** Languages that the user or the catalog lists for it; null = unknown. */
	readonly languages: readonly string[] | null;
	readonly ownedBy: string;
	/** The bundled model, which recognizes only digits. */
	readonly demo: boolean;
	/** How long it stays in memory when idle, from models.yaml; Infinity = for ever, 0 = unload at once. */
	readonly keepAliveMs?: number;
	/** Where to download it, from models.yaml. */
	readonly download?: EntryDownload;
}

export interface EntryDownload {
	readonly url: string;
	/** Folder in the archive; '' = its only folder. */
	readonly archiveSubdir: string;
	readonly sha256: string | null;
	/** Absolute: the entry's `dir`. */
	readonly dir: string;
}

export type ModelEntry =
	| (EntryBase & { readonly type: GgmlType })
	| (EntryBase & { readonly type: SherpaType })
	| (EntryBase & { readonly type: typeof diarizationType });

/** The entry with that id, else with that alias. */
export function findIn(entries: readonly ModelEntry[], idOrAlias: string): ModelEntry | undefined {
	return (
		entries.find(({ id }) => id === idOrAlias) ?? entries.find(({ aliases }) => aliases.includes(idOrAlias))
	);
}

export const modelIdRule = 'an id of letters, digits and . _ - : / @';

/** Whether the text is a valid id; file names are derived from ids. Pure. */
export function isModelId(id: string): boolean {
	return /^\w[\w.:/@-]{0,127}$/.test(id) && !id.includes('..');
}
