/** `earshot serve` in its own process, stopped while live sessions are open. */

import { spawn } from 'node:child_process';
import { connect } from 'node:net';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { modelFixture, root, samplesOf } from '../../helpers/fixtures.js';
import { modelsYaml, Scratch } from '../../helpers/net/real-server.js';
import { openTranscription } from '../../helpers/net/socket.js';

const completed = 'conversation.item.input_audio_transcription.completed';

function pcmOf(recording: string): Buffer {
	const samples = Int16Array.from(samplesOf(recording), (sample) => Math.round(sample * 32_767));
	return Buffer.from(samples.buffer);
}

/** A server that listens, and how it ends. */
async function serving() {
	const scratch = new Scratch();
	const models = [modelFixture('slow'), modelFixture('streaming_zipformer_ctc')];
	const config = scratch.file('models.yaml', modelsYaml('slow', models));
	const main = path.join(root, 'dist', 'cli', 'main.js');
	const child = spawn(process.execPath, [main, 'serve', '--addr', '127.0.0.1:0', '--config', config], {
		stdio: ['ignore', 'ignore', 'pipe'],
		env: { PATH: process.env.PATH, HOME: scratch.path },
	});
	const ended = new Promise<unknown>((resolve) => child.on('close', resolve));
	onTestFinished(async () => {
		child.kill('SIGKILL');
		await ended;
		scratch[Symbol.dispose]();
	});
	let log = '';
	const url = await new Promise<string>((resolve, reject) => {
		child.stderr.setEncoding('utf8').on('data', (text: string) => {
			log += text;
			const [, found] = /listens on (\S+)\/v1 /.exec(log) ?? [];
			if (found !== undefined) resolve(found);
		});
		void ended.then(() => reject(new Error(log)));
	});
	return { url, child, ended };
}

const shuttingDown = { code: 1001, reason: 'the server is shutting down' };

test('a server that is stopped sends the text of each turn, closes the sessions, and ends with 0', async () => {
	const { url, child, ended } = await serving();
	const committed = await openTranscription(url, 'slow', { turn_detection: null });
	committed.append(pcmOf('tones-abc'));
	committed.send({ type: 'input_audio_buffer.commit' });
	const speaking = await openTranscription(url, 'streaming_zipformer_ctc', {});
	speaking.append(pcmOf('tones-deadbead'));
	const started = await speaking.nextOf('input_audio_buffer.speech_started');
	await committed.nextOf('input_audio_buffer.committed');
	child.kill('SIGTERM');
	expect(await committed.nextOf(completed)).toMatchObject({
		transcript: modelFixture('slow').expectedTexts['tones-abc'],
	});
	expect(await speaking.nextOf('input_audio_buffer.committed')).toMatchObject({ item_id: started.item_id });
	expect(await speaking.nextOf(completed)).toMatchObject({
		item_id: started.item_id,
		transcript: modelFixture('streaming_zipformer_ctc').expectedTexts['tones-deadbead'],
	});
	expect(await committed.closed).toEqual(shuttingDown);
	expect(await speaking.closed).toEqual(shuttingDown);
	expect(await ended).toBe(0);
});

// The server waits for running requests for 30 s, which is longer than this test may take.
test('clients that neither read nor close do not keep a stopped server', async () => {
	const { url, child, ended } = await serving();
	const deaf = await openTranscription(url, 'slow', { turn_detection: null });
	deaf.append(pcmOf('tones-a'));
	deaf.send({ type: 'input_audio_buffer.commit' });
	deaf.socket.pause();
	// A connection that sends half a handshake.
	const half = connect(Number(new URL(url).port), '127.0.0.1').on('error', () => {});
	onTestFinished(() => void half.destroy());
	await new Promise<void>((resolve) =>
		half.write('GET /v1/realtime HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n', () => resolve()),
	);
	child.kill('SIGTERM');
	expect(await ended).toBe(0);
}, 20_000);
