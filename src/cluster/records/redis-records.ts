/** Records in Redis, Valkey or another server with the same protocol and scripts. */

import type { Redis } from 'ioredis';
import type { Commit, IndexEntry, Page, Records, StoredRecord } from './records.js';

/** Hash tag: all keys are in one slot of a Redis Cluster, so that a script may access all of them. */
export const redisPrefix = '{earshot}';

/** Checks all expectations, then applies all changes: Redis runs a script atomically. */
const commitScript = `
local p = '${redisPrefix}:'
local c = cjson.decode(ARGV[1])
for key, version in pairs(c.expect or {}) do
	local found = redis.call('HGET', p .. 'r:' .. key, 'v')
	if (found and tonumber(found) or 0) ~= version then return 0 end
end
for key, value in pairs(c.put or {}) do
	redis.call('HINCRBY', p .. 'r:' .. key, 'v', 1)
	redis.call('HSET', p .. 'r:' .. key, 'd', value)
end
for _, key in ipairs(c.remove or {}) do redis.call('DEL', p .. 'r:' .. key) end
local now
for _, e in ipairs(c.index or {}) do
	if e.score == 'remove' then
		redis.call('ZREM', p .. 'i:' .. e.name, e.member)
	else
		local score = e.score
		if score == 'now' then
			if not now then
				local t = redis.call('TIME')
				now = string.format('%.0f', tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000))
			end
			score = now
		end
		redis.call('ZADD', p .. 'i:' .. e.name, score, e.member)
	end
end
for _, e in ipairs(c.count or {}) do redis.call('HINCRBY', p .. 'c', e.name, e.by) end
for _, e in ipairs(c.append or {}) do redis.call('RPUSH', p .. 'l:' .. e.list, e.value) end
for _, name in ipairs(c.removeLists or {}) do redis.call('DEL', p .. 'l:' .. name) end
for _, e in ipairs(c.publish or {}) do redis.call('PUBLISH', p .. 't:' .. e.topic, e.message) end
return 1
`;

const key = (kind: 'r' | 'i' | 'l' | 't', name: string): string => `${redisPrefix}:${kind}:${name}`;

export class RedisRecords implements Records {
	readonly #redis: Redis;
	/** A separate connection, since a subscribed one can run no other commands. */
	readonly #listening: Redis;
	readonly #subscribers = new Map<string, Set<(message: string) => void>>();

	/** Takes ownership of both connections. */
	constructor(redis: Redis, listening: Redis) {
		this.#redis = redis;
		this.#listening = listening;
		listening.on('message', (channel: string, message: string) => {
			for (const onMessage of this.#subscribers.get(channel) ?? []) onMessage(message);
		});
	}

	async get(keys: readonly string[]): Promise<(StoredRecord | undefined)[]> {
		if (keys.length === 0) return [];
		const found = await this.#all(keys.map((name) => ['hmget', key('r', name), 'v', 'd']));
		return found.map((pair) => {
			const [version, value] = pair as [string | null, string | null];
			return version === null || value === null ? undefined : { version: Number(version), value };
		});
	}

	async commit({ index = [], ...changes }: Commit): Promise<boolean> {
		const scored = index.map(({ score, ...entry }) => ({
			...entry,
			// As text: numbers that Lua decodes from JSON lose digits.
			score: score === null ? 'remove' : String(score),
		}));
		const script = this.#redis.eval(commitScript, 0, JSON.stringify({ ...changes, index: scored }));
		return (await script) === 1;
	}

	async page(index: string, { after, limit, order }: Page): Promise<IndexEntry[]> {
		const name = key('i', index);
		let from = 0;
		if (after !== undefined) {
			const rank = await (order === 'asc'
				? this.#redis.zrank(name, after)
				: this.#redis.zrevrank(name, after));
			if (typeof rank !== 'number') return [];
			from = rank + 1;
		}
		const until = from + limit - 1;
		const found =
			order === 'asc'
				? await this.#redis.zrange(name, String(from), String(until), 'WITHSCORES')
				: await this.#redis.zrevrange(name, from, until, 'WITHSCORES');
		return entries(found);
	}

	async between(index: string, min: number, max: number, limit: number): Promise<IndexEntry[]> {
		const name = key('i', index);
		return entries(
			await this.#redis.zrangebyscore(name, bound(min), bound(max), 'WITHSCORES', 'LIMIT', 0, limit),
		);
	}

	async sizes(indexes: readonly string[]): Promise<number[]> {
		return (await this.#all(indexes.map((name) => ['zcard', key('i', name)]))).map(Number);
	}

	async counts(names: readonly string[]): Promise<number[]> {
		if (names.length === 0) return [];
		return (await this.#redis.hmget(`${redisPrefix}:c`, ...names)).map((found) => Number(found ?? 0));
	}

	async list(name: string, from: number): Promise<string[]> {
		return await this.#redis.lrange(key('l', name), from, -1);
	}

	async now(): Promise<number> {
		const [seconds, microseconds] = await this.#redis.time();
		return Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000);
	}

	async subscribe(topic: string, onMessage: (message: string) => void): Promise<() => void> {
		const channel = key('t', topic);
		const others = this.#subscribers.get(channel) ?? new Set();
		this.#subscribers.set(channel, others);
		others.add(onMessage);
		if (others.size === 1) await this.#listening.subscribe(channel);
		return () => {
			others.delete(onMessage);
			if (others.size > 0 || this.#subscribers.get(channel) !== others) return;
			this.#subscribers.delete(channel);
			this.#listening.unsubscribe(channel).catch(() => {});
		};
	}

	async close(): Promise<void> {
		this.#listening.disconnect();
		this.#redis.disconnect();
	}

	/** Runs all commands in one round trip. */
	async #all(commands: string[][]): Promise<unknown[]> {
		if (commands.length === 0) return [];
		const replies = (await this.#redis.pipeline(commands).exec()) ?? [];
		return replies.map(([error, reply]) => {
			if (error) throw error;
			return reply;
		});
	}
}

function bound(value: number): string {
	if (value === Number.POSITIVE_INFINITY) return '+inf';
	return value === Number.NEGATIVE_INFINITY ? '-inf' : String(value);
}

function entries(found: readonly string[]): IndexEntry[] {
	return Array.from({ length: found.length / 2 }, (_, position) => ({
		member: found[2 * position] ?? '',
		score: Number(found[2 * position + 1]),
	}));
}
