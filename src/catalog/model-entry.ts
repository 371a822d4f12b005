/** A model that this machine can serve, as the registry hands it to a host: plain data. */

import type { SherpaType } from '../engines/families.js';
import { EarshotError } from '../errors.js';

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
}

export type ModelEntry =
	| (EntryBase & { readonly type: 'whisper_cpp' })
	| (EntryBase & { readonly type: SherpaType });

/** The entry of that id, else of that alias. Throws `model_not_found` naming what there is. */
export function findEntry(entries: readonly ModelEntry[], wanted: string): ModelEntry {
	const entry =
		entries.find(({ id }) => id === wanted) ?? entries.find(({ aliases }) => aliases.includes(wanted));
	if (entry) return entry;
	const known = entries.map(({ id }) => id).join(', ');
	throw new EarshotError(
		'model_not_found',
		`The model \`${wanted}\` is not on this machine. It has: ${known}.`,
		{ param: 'model' },
	);
}
