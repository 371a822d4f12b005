/** Records in the memory of one process: what the other implementations must behave like. */

import type {
	Commit,
	IndexEntry,
	Page,
	Records,
	StoredRecord,
} from '../../../src/cluster/records/records.js';

export class MemoryRecords implements Records {
	readonly #records = new Map<string, StoredRecord>();
	readonly #indexes = new Map<string, Map<string, number>>();
	readonly #counters = new Map<string, number>();
	readonly #lists = new Map<string, string[]>();
	readonly #subscribers = new Map<string, Set<(message: string) => void>>();
	readonly #now: () => number;

	constructor(now: () => number = Date.now) {
		this.#now = now;
	}

	async get(keys: readonly string[]): Promise<(StoredRecord | undefined)[]> {
		return keys.map((key) => this.#records.get(key));
	}

	async commit(changes: Commit): Promise<boolean> {
		for (const [key, version] of Object.entries(changes.expect ?? {})) {
			if ((this.#records.get(key)?.version ?? 0) !== version) return false;
		}
		for (const [key, value] of Object.entries(changes.put ?? {})) {
			this.#records.set(key, { version: (this.#records.get(key)?.version ?? 0) + 1, value });
		}
		for (const key of changes.remove ?? []) this.#records.delete(key);
		for (const { name, member, score } of changes.index ?? []) {
			const index = this.#indexes.get(name) ?? new Map<string, number>();
			this.#indexes.set(name, index);
			if (score === null) index.delete(member);
			else index.set(member, score === 'now' ? this.#now() : score);
		}
		for (const { name, by } of changes.count ?? [])
			this.#counters.set(name, (this.#counters.get(name) ?? 0) + by);
		for (const { list, value } of changes.append ?? [])
			this.#lists.set(list, [...(this.#lists.get(list) ?? []), value]);
		for (const name of changes.removeLists ?? []) this.#lists.delete(name);
		for (const { topic, message } of changes.publish ?? [])
			for (const onMessage of [...(this.#subscribers.get(topic) ?? [])])
				queueMicrotask(() => onMessage(message));
		return true;
	}

	async page(index: string, { after, limit, order }: Page): Promise<IndexEntry[]> {
		const all = this.#sorted(index);
		if (order === 'desc') all.reverse();
		const at = after === undefined ? 0 : all.findIndex(({ member }) => member === after) + 1;
		return after !== undefined && at === 0 ? [] : all.slice(at, at + limit);
	}

	async between(index: string, min: number, max: number, limit: number): Promise<IndexEntry[]> {
		return this.#sorted(index)
			.filter(({ score }) => score >= min && score <= max)
			.slice(0, limit);
	}

	async sizes(indexes: readonly string[]): Promise<number[]> {
		return indexes.map((name) => this.#indexes.get(name)?.size ?? 0);
	}

	async counts(names: readonly string[]): Promise<number[]> {
		return names.map((name) => this.#counters.get(name) ?? 0);
	}

	async list(name: string, from: number): Promise<string[]> {
		return (this.#lists.get(name) ?? []).slice(from);
	}

	async now(): Promise<number> {
		return this.#now();
	}

	async subscribe(topic: string, onMessage: (message: string) => void): Promise<() => void> {
		const others = this.#subscribers.get(topic) ?? new Set();
		this.#subscribers.set(topic, others);
		others.add(onMessage);
		return () => others.delete(onMessage);
	}

	/** Names of all that is stored, with the members of indexes. */
	names(): string[] {
		const members = [...this.#indexes].flatMap(([name, index]) =>
			[...index.keys()].map((each) => `${name} ${each}`),
		);
		return [...this.#records.keys(), ...this.#lists.keys(), ...members];
	}

	async close(): Promise<void> {}

	#sorted(index: string): IndexEntry[] {
		return [...(this.#indexes.get(index) ?? [])]
			.map(([member, score]) => ({ member, score }))
			.sort((a, b) => a.score - b.score || (a.member < b.member ? -1 : 1));
	}
}
