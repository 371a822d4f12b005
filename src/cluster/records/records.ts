/** What all machines of a cluster know: small records with versions, ordered indexes, lists, counters and messages. */

export interface StoredRecord {
	/** 1 at first, one more with each change. */
	readonly version: number;
	readonly value: string;
}

export interface IndexEntry {
	readonly member: string;
	readonly score: number;
}

/** Changes that happen together, or not at all. */
export interface Commit {
	/** Versions that these records must have; 0 = there must be none. */
	readonly expect?: Readonly<Record<string, number>>;
	/** Values by key. */
	readonly put?: Readonly<Record<string, string>>;
	readonly remove?: readonly string[];
	/** `now`: the server's time, ms; null: no longer a member. */
	readonly index?: readonly {
		readonly name: string;
		readonly member: string;
		readonly score: number | 'now' | null;
	}[];
	readonly count?: readonly { readonly name: string; readonly by: number }[];
	readonly append?: readonly { readonly list: string; readonly value: string }[];
	readonly removeLists?: readonly string[];
	/** Heard by those who listen at that time; may be lost. */
	readonly publish?: readonly { readonly topic: string; readonly message: string }[];
}

export interface Page {
	/** Members behind this one; one that is not there leaves nothing. */
	readonly after?: string;
	readonly limit: number;
	readonly order: 'asc' | 'desc';
}

/** Indexes are in order of score, then of member by bytes. All throw `closed` while the server cannot be reached for
 * longer than `patienceMs` of who opened it. */
export interface Records {
	/** In the order of the keys. */
	get(keys: readonly string[]): Promise<readonly (StoredRecord | undefined)[]>;
	/** False if an expectation does not hold. */
	commit(changes: Commit): Promise<boolean>;
	page(index: string, page: Page): Promise<readonly IndexEntry[]>;
	/** Scores from `min` to `max`, both included. */
	between(index: string, min: number, max: number, limit: number): Promise<readonly IndexEntry[]>;
	/** Members of each index. */
	sizes(indexes: readonly string[]): Promise<readonly number[]>;
	counts(names: readonly string[]): Promise<readonly number[]>;
	/** Values of the list from this position. */
	list(name: string, from: number): Promise<readonly string[]>;
	/** The server's time, ms. */
	now(): Promise<number>;
	/** Resolves when everything published from now on is heard. Returns a function that ends it. */
	subscribe(topic: string, onMessage: (message: string) => void): Promise<() => void>;
	close(): Promise<void>;
}

/** How often a change is tried again that another one was faster than. */
const maxTries = 50;

/** Applies `change` to what is there until nothing else changes it meanwhile. `change` returns undefined to leave it. */
export async function changeRecord<T>(
	records: Pick<Records, 'get' | 'commit'>,
	key: string,
	change: (found: StoredRecord | undefined) => { readonly commit: Commit; readonly value: T } | undefined,
): Promise<T | undefined> {
	for (let tries = 0; tries < maxTries; tries++) {
		const [found] = await records.get([key]);
		const wanted = change(found);
		if (wanted === undefined) return undefined;
		const expect = { ...wanted.commit.expect, [key]: found?.version ?? 0 };
		if (await records.commit({ ...wanted.commit, expect })) return wanted.value;
	}
	throw new Error(`the record ${key} changes all the time`);
}
