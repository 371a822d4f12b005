/** The checks by `earshot doctor` of the queue and the blob store that machines share. */

import { systemClock } from '../../core/clock.js';
import { reasonOf } from '../../core/errors.js';
import { withoutSecrets } from '../../core/optional-packages.js';
import { Directory, type WorkerEntry } from '../directory.js';
import type { Records } from '../records/records.js';
import { checkBlobs } from './blobs-check.js';
import { clockFinding, type SharedFinding } from './finding.js';
import { checkQueue } from './queue-check.js';

/** '' = not set. */
export interface ClusterUrls {
	readonly queue: string;
	readonly blobs: string;
}

/** Time limit for each check. */
const timeoutMs = 20_000;
const workerTimeoutMs = 3000;

/** Empty if neither is set. Never throws, and never includes a password. */
export async function checkCluster({ queue, blobs }: ClusterUrls): Promise<readonly SharedFinding[]> {
	if (queue === '' && blobs === '') return [];
	const findings: SharedFinding[] = [];
	let records: Records | undefined;
	let close = async () => {};
	const fault = (what: SharedFinding['what'], url: string, thrown: unknown): SharedFinding => ({
		ok: false,
		what,
		detail: hidden(`${withoutSecrets(url)}: ${reasonOf(thrown)}`, [queue, blobs]),
	});
	if (queue === '') findings.push({ ok: false, what: 'queue', detail: lacking('queue') });
	else {
		try {
			const checked = await withinTime(checkQueue(queue));
			({ records, close } = checked);
			findings.push(...placed(checked.findings, queue));
			if (records) findings.push(...(await shared(records)));
		} catch (thrown) {
			findings.push(fault('queue', queue, thrown));
		}
	}
	try {
		if (blobs === '') findings.push({ ok: false, what: 'blobs', detail: lacking('blobs') });
		else findings.push(await withinTime(checkBlobs(blobs, records)));
	} catch (thrown) {
		findings.push(fault('blobs', blobs, thrown));
	} finally {
		await close();
	}
	return findings;
}

const lacking = (name: keyof ClusterUrls): string =>
	`machines that share jobs need it too: EARSHOT_${name.toUpperCase()}`;

/** Puts the server's URL before the first finding. */
function placed([first, ...more]: readonly SharedFinding[], url: string): SharedFinding[] {
	return first ? [{ ...first, detail: `${withoutSecrets(url)}: ${first.detail}` }, ...more] : [];
}

async function shared(records: Records): Promise<SharedFinding[]> {
	const before = Date.now();
	const server = await records.now();
	const clock = clockFinding(server, before, Date.now());
	const workers = await new Directory(records, systemClock).workers();
	const reached = await Promise.all(workers.map(({ address }) => isReached(address)));
	return [clock, workersFinding(workers, reached)];
}

/** `reached`: by position; null = the worker accepts no direct requests. Pure. */
export function workersFinding(
	workers: readonly Pick<WorkerEntry, 'address' | 'models'>[],
	reached: readonly (boolean | null)[],
): SharedFinding {
	if (workers.length === 0)
		return { ok: true, what: 'workers', detail: 'none is running; to start one: earshot worker' };
	const models = [...new Set(workers.flatMap((worker) => worker.models.map(({ id }) => id)))].sort();
	const silent = workers.flatMap(({ address }, position) => (reached[position] === false ? [address] : []));
	const unreached =
		silent.length === 0
			? ''
			: `; not reached from here, as servers must: ${silent.join(', ')} (firewall, or --advertise)`;
	return {
		ok: true,
		what: 'workers',
		detail: `${workers.length}, with ${models.join(', ') || 'no models'}${unreached}`,
	};
}

async function isReached(address: string): Promise<boolean | null> {
	if (address === '') return null;
	const signal = AbortSignal.timeout(workerTimeoutMs);
	return await fetch(`${address}/health`, { signal }).then(
		({ ok }) => ok,
		() => false,
	);
}

/** The text without the passwords of the URLs, encoded or not. Pure. */
export function hidden(text: string, urls: readonly string[]): string {
	const secrets = urls.flatMap((url) => {
		if (!URL.canParse(url)) return [];
		const { password, searchParams } = new URL(url);
		const inQuery = searchParams.get('password') ?? '';
		return [password, decoded(password), inQuery, encodeURIComponent(inQuery)];
	});
	return secrets
		.filter((secret) => secret !== '')
		.reduce((rest, secret) => rest.replaceAll(secret, '…'), text);
}

function decoded(text: string): string {
	try {
		return decodeURIComponent(text);
	} catch {
		return text;
	}
}

async function withinTime<T>(work: Promise<T>): Promise<T> {
	let timer: NodeJS.Timeout | undefined;
	const late = new Promise<never>((_, reject) => {
		timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs / 1000} s`)), timeoutMs);
	});
	try {
		return await Promise.race([work, late]);
	} finally {
		clearTimeout(timer);
	}
}
