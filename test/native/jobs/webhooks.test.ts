/** A job's webhook and a server that is killed. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { newSecret } from '../../../src/webhooks/secret.js';
import { root } from '../../helpers/fixtures.js';
import { Scratch } from '../../helpers/net/real-server.js';
import { isSignedBy, startReceiver } from '../../helpers/net/receiver.js';

/** Resolves with the URL of the server. */
async function served(home: string, place: string) {
	const main = path.join(root, 'dist', 'cli', 'main.js');
	const child = spawn(process.execPath, [main, 'serve', '--port', '0', '--webhook-allow', place], {
		stdio: ['ignore', 'ignore', 'pipe'],
		env: { PATH: process.env.PATH, HOME: home },
	});
	const ended = once(child, 'close');
	onTestFinished(async () => {
		child.kill('SIGKILL');
		await ended;
	});
	let said = '';
	const url = await new Promise<string>((resolve, reject) => {
		child.stderr.setEncoding('utf8').on('data', (piece: string) => {
			said += piece;
			const found = /listens on (\S+)/.exec(said)?.[1];
			if (found !== undefined) resolve(found);
		});
		child.on('close', () => reject(new Error(said)));
	});
	const kill = async (): Promise<void> => {
		child.kill('SIGKILL');
		await ended;
	};
	return { url, kill };
}

test('a server that is killed before its receiver has answered delivers after the restart, with the same id', async () => {
	const scratch = new Scratch();
	onTestFinished(() => scratch[Symbol.dispose]());
	// The first request is never answered.
	const receiver = await startReceiver((response, at) => {
		if (at > 0) response.writeHead(204).end();
	});
	const first = await served(scratch.path, receiver.place);
	const secret = newSecret();
	const form = new FormData();
	const recording = readFileSync(path.join(root, 'fixtures', 'demo-digits', 'digits-count.wav'));
	form.append('file', new Blob([new Uint8Array(recording)]), 'digits.wav');
	form.append('webhook_url', receiver.url);
	form.append('webhook_secret', secret);
	const answer = await fetch(`${first.url}/transcription_jobs`, { method: 'POST', body: form });
	const { id } = (await answer.json()) as { id: string };
	expect(answer.status).toBe(202);
	const [before] = await receiver.waitFor(1);
	await first.kill();
	await served(scratch.path, receiver.place);
	const [, after] = await receiver.waitFor(2);
	expect(after?.headers['webhook-id']).toBe(before?.headers['webhook-id']);
	expect(after?.body).toBe(before?.body);
	expect(JSON.parse(after?.body ?? '')).toMatchObject({ type: 'transcription.completed', data: { id } });
	expect(after && isSignedBy(secret, after)).toBe(true);
}, 120_000);
