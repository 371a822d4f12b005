/** The shared state of a cluster: small records with versions, ordered indexes, lists, counters and messages. */

export interface StoredRecord {
	/** 1 for a new record; each change adds 1. */
	readonly version: number;
	readonly value: string;
}

export interface IndexEntry {
	readonly member: string;
	readonly score: number;
}

/** Changes that are applied atomically. */
export interface Commit {
	/** Versions that these records must have; 0 = the record must not exist. */
	readonly expect?: Readonly<Record<string, number>>;
	/** Values by key. */
	readonly put?: Readonly<Record<string, string>>;
	readonly remove?: readonly string[];
	/** Score: `now` = the server's time, ms; null = remove the member. */
	readonly index?: readonly {
		readonly name: string;
		readonly member: string;
		readonly score: number | 'now' | null;
	}[];
	readonly count?: readonly { readonly name: string; readonly by: number }[];
	readonly append?: readonly { readonly list: string; readonly value: string }[];
	readonly removeLists?: readonly string[];
	/** Delivered to current subscribers; may be lost. */
	readonly publish?: readonly { readonly topic: string; readonly message: string }[];
}

export interface Page {
	/** Only members after this one; if it does not exist, the page is empty. */
	readonly after?: string;
	readonly limit: number;
	readonly order: 'asc' | 'desc';
}

/** `min`, `max` and `limit` of `between` for all members of an index. */
export const everything = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, 1_000_000] as const;

/** Indexes are ordered by score, then by the member's bytes. While the server is unreachable, methods wait if it
 * was opened with `waitsForServer`; otherwise they fail, as `closed` behind `withOutages`. */
export interface Records {
	/** Results are in the order of the keys. */
	get(keys: readonly string[]): Promise<readonly (StoredRecord | undefined)[]>;
	/** False, without any change, if an expectation does not hold. */
	commit(changes: Commit): Promise<boolean>;
	page(index: string, page: Page): Promise<readonly IndexEntry[]>;
	/** Scores from `min` to `max`, both included. */
	between(index: string, min: number, max: number, limit: number): Promise<readonly IndexEntry[]>;
	/** The number of members of each index. */
	sizes(indexes: readonly string[]): Promise<readonly number[]>;
	counts(names: readonly string[]): Promise<readonly number[]>;
	/** The values of the list from this position on. */
	list(name: string, from: number): Promise<readonly string[]>;
	/** The server's time, ms. */
	now(): Promise<number>;
	/** Resolves once every later message will be delivered. Returns a function that unsubscribes. */
	subscribe(topic: string, onMessage: (message: string) => void): Promise<() => void>;
	close(): Promise<void>;
}

/** How often a change is retried after a conflict with another writer. */
const maxTries = 50;

type Change<T> = { readonly commit: Commit; readonly value: T } | undefined;

/** Applies `change` to the record, and retries while other writers change it in between. `change` returns
 * undefined to leave it as it is. Throws if the retries run out. */
export async function changeRecord<T>(
	records: Pick<Records, 'get' | 'commit'>,
	key: string,
	change: (found: StoredRecord | undefined) => Change<T> | Promise<Change<T>>,
): Promise<T | undefined> {
	for (let tries = 0; tries < maxTries; tries++) {
		const [found] = await records.get([key]);
		const wanted = await change(found);
		if (wanted === undefined) return undefined;
		const expect = { ...wanted.commit.expect, [key]: found?.version ?? 0 };
		if (await records.commit({ ...wanted.commit, expect })) return wanted.value;
	}
	throw new Error(`the record ${key} changes all the time`);
}
