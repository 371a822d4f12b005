/** Checks that a Redis, Valkey or compatible server keeps jobs safely. */

import { installed } from '../../core/optional-packages.js';
import { RedisRecords } from '../records/redis-records.js';
import type { CheckedQueue, SharedFinding } from './finding.js';

const timeoutMs = 5000;
const minVersion = [6, 2] as const;

/** Throws errors of the server and its client. */
export async function checkRedis(url: string): Promise<CheckedQueue> {
	const { Redis } = await installed('ioredis', url, () => import('ioredis'));
	await installed('bullmq', url, () => import('bullmq'));
	const redis = new Redis(url, {
		lazyConnect: true,
		maxRetriesPerRequest: 0,
		retryStrategy: () => null,
		connectTimeout: timeoutMs,
		commandTimeout: timeoutMs,
	});
	let failure: unknown;
	redis.on('error', (error) => {
		failure ??= error;
	});
	try {
		await redis.connect();
		const info = await redis.info();
		// Hosted servers may forbid `CONFIG`.
		const [, fsync] = ((await redis.config('GET', 'appendfsync').catch(() => [])) as string[]) ?? [];
		return {
			findings: redisFindings(info, fsync),
			records: new RedisRecords(redis, redis),
			close: async () => redis.disconnect(),
		};
	} catch (thrown) {
		redis.disconnect();
		// The client's own error only says that the connection is closed.
		throw failure ?? thrown;
	}
}

/** `info`: the reply to `INFO`. `fsync`: the value of `appendfsync`, if it could be read. Pure. */
export function redisFindings(info: string, fsync: string | undefined): SharedFinding[] {
	const values = new Map(
		[...info.matchAll(/^([a-z_]+):(.*?)\r?$/gm)].map(([, name = '', value = '']) => [name, value]),
	);
	const faults = [...faultsOf(values, fsync)];
	const version = values.get('redis_version') ?? '';
	const own = values.get('valkey_version') ?? values.get('dragonfly_version');
	const name = values.has('valkey_version') ? 'Valkey' : own === undefined ? 'Redis' : 'Dragonfly';
	const kept = [
		...(values.get('aof_enabled') === '1' ? [`append-only file${fsync ? `, written ${fsync}` : ''}`] : []),
		...(values.has('maxmemory_policy') ? [values.get('maxmemory_policy')] : []),
	];
	const detail = `${name} ${own ?? version}${kept.length > 0 ? ` (${kept.join('; ')})` : ''}`;
	return [
		{ ok: faults.length === 0, what: 'queue', detail },
		...faults.map((fault) => ({ ok: false, what: 'queue' as const, detail: fault })),
	];
}

function* faultsOf(values: ReadonlyMap<string, string>, fsync: string | undefined): Generator<string> {
	const [major = 0, minor = 0] = (values.get('redis_version') ?? '').split('.').map(Number);
	const [minMajor, minMinor] = minVersion;
	if (major < minMajor || (major === minMajor && minor < minMinor))
		yield `Expected version ${minMajor}.${minMinor} or newer, got ${major}.${minor}`;
	const policy = values.get('maxmemory_policy');
	if (policy !== undefined && policy !== 'noeviction')
		yield `it forgets jobs when its memory is full (maxmemory-policy is ${policy}): CONFIG SET maxmemory-policy noeviction, and in its configuration`;
	if (values.get('aof_enabled') === '0')
		yield 'a restart loses jobs, since it keeps no append-only file: CONFIG SET appendonly yes, and in its configuration';
	if (fsync === 'no')
		yield 'a power cut loses jobs of many seconds (appendfsync is no): CONFIG SET appendfsync everysec';
	if (values.get('role') === 'slave')
		yield 'it is a replica, which takes no jobs: name the one that it follows';
	if (values.get('aof_last_write_status') === 'err')
		yield 'it could not write its append-only file: is its disk full?';
}
