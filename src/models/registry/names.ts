/** Finds the entry of models.yaml for a name, in any of its spellings. */

import type { Catalog } from '../catalog/catalog.js';
import { isOpenAiName, keysOf, nameKey, similarNames, undatedName } from '../catalog/names.js';
import { findIn, type ModelEntry } from './entry.js';
import type { Problem } from './yaml-reader.js';

export type Found = { readonly entry: ModelEntry } | { readonly problem: Problem };

export interface NamesOptions {
	readonly entries: readonly ModelEntry[];
	/** Entries and aliases that cannot be served are also found. */
	readonly problems: readonly Problem[];
	/** Id of an entry, or of a problem; OpenAI's names resolve to it. */
	readonly defaultModel: string;
	readonly catalog: Catalog;
}

export class EntryNames {
	readonly #options: NamesOptions;
	/** Built on first use, since most names are ids. */
	#byKey: ReadonlyMap<string, Found> | undefined;

	constructor(options: NamesOptions) {
		this.#options = options;
	}

	/** Tries in this order: the id, an alias, both compared by `nameKey`, other names of the model, and for OpenAI's
	 * names the default model. */
	find(name: string): Found | undefined {
		return this.findOwn(name) ?? (isOpenAiName(name) ? this.#openAi(name) : undefined);
	}

	/** Like `find`, without OpenAI's names, unless the user has assigned one to a model. */
	findOwn(name: string): Found | undefined {
		const { catalog } = this.#options;
		const found = this.#exactly(name) ?? this.#keys.get(nameKey(name));
		if (found) return found;
		// The catalog takes a fifth of a second to read.
		const known = isOpenAiName(name) ? undefined : catalog.resolve(name);
		return known && this.#exactly(known.id);
	}

	/** Ids of at most three entries that the user may have meant. */
	similar(name: string): readonly string[] {
		return similarNames(
			name,
			this.#options.entries.filter(({ demo }) => !demo).map(({ id }) => id),
		);
	}

	#openAi(name: string): Found | undefined {
		return this.#keys.get(nameKey(undatedName(name))) ?? this.#exactly(this.#options.defaultModel);
	}

	#exactly(name: string): Found | undefined {
		const { entries, problems } = this.#options;
		const entry = findIn(entries, name);
		if (entry) return { entry };
		const problem = problems.find(({ id }) => id === name);
		return problem && { problem };
	}

	get #keys(): ReadonlyMap<string, Found> {
		if (this.#byKey) return this.#byKey;
		const keys = new Map<string, Found>();
		const add = (key: string, found: Found): void => {
			if (!keys.has(key)) keys.set(key, found);
		};
		const { entries, problems } = this.#options;
		for (const entry of entries) add(nameKey(entry.id), { entry });
		for (const problem of problems) add(nameKey(problem.id), { problem });
		for (const entry of entries) for (const alias of entry.aliases) add(nameKey(alias), { entry });
		for (const entry of entries)
			for (const key of keysOf({ id: entry.id, type: entry.type })) add(key, { entry });
		this.#byKey = keys;
		return keys;
	}
}
