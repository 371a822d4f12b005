import { statSync } from 'node:fs';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { newToken, readToken, writeToken } from '../../../src/server/local-token.js';
import { Scratch } from '../../helpers/net/real-server.js';

const scratch = new Scratch();
afterAll(() => scratch[Symbol.dispose]());

it('a token is left where its user alone can read it', async () => {
	const file = path.join(scratch.path, 'state', 'earshot', 'server-1.token');
	const token = newToken();
	await writeToken(file, token);
	expect(await readToken(file)).toBe(token);
	if (process.platform === 'win32') return;
	const modes = [file, path.dirname(file)].map((each) => (statSync(each).mode & 0o777).toString(8));
	expect(modes).toEqual(['600', '700']);
});

it.runIf(process.platform === 'linux')(
	'a token is refused by a place where no folder can be created',
	async () => {
		await expect(writeToken('/proc/earshot/server-1.token', newToken())).rejects.toMatchObject({
			code: 'ENOTSUP',
		});
	},
);
