/** What the system refuses while an upload is stored. */

import * as files from 'node:fs/promises';
import { expect, test, vi } from 'vitest';
import { arrange, filePart, multipart, sendRaw } from '../helpers/net/server.js';

vi.mock('node:fs/promises', async (original) => {
	const real = await original<typeof files>();
	return { ...real, open: vi.fn(real.open) };
});

const system = (code: string) =>
	Object.assign(new Error(`${code}: failed, open '/tmp/secret/place'`), { code });

test.each([
	['ENOSPC', 507, 'disk_full', undefined],
	['EMFILE', 503, 'too_many_open_files', '5'],
])('an upload that meets %s is answered with %i', async (code, status, expected, retryAfter) => {
	const server = await arrange({ memoryUploadBytes: 4 });
	const body = multipart([{ ...filePart, body: Buffer.alloc(300_000, 1) }]);
	vi.mocked(files.open).mockRejectedValueOnce(system(code));
	const answer = await sendRaw(server, { body });
	expect(answer).toMatchObject({ status, json: { error: { code: expected, type: 'server_error' } } });
	expect(answer.headers['retry-after']).toBe(retryAfter);
	expect(answer.text).not.toContain('/tmp');
	expect(server.leftovers()).toEqual([]);
	expect((await sendRaw(server, { body })).status).toBe(200);
});
