import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll } from 'vitest';
import { openFolderJobs } from '../../../src/jobs/folder/folder-jobs.js';
import type { JobStorage } from '../../../src/jobs/storage.js';
import { FakeClock } from '../../helpers/fakes.js';
import { storageContract } from './storage.contract.js';

const root = mkdtempSync(path.join(tmpdir(), 'earshot-jobs-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const clock = new FakeClock();
const folders = new Map<JobStorage, string>();

async function open(folder: string): Promise<JobStorage> {
	const storage = await openFolderJobs(folder, clock);
	folders.set(storage, folder);
	return storage;
}

storageContract('a folder', {
	open: () => open(path.join(root, String(folders.size))),
	reopen: (closed) => open(folders.get(closed) ?? ''),
	passTime: async (ms) => clock.advance(ms),
	patienceMs: 0,
});
