// openai for Node over TLS, in the class for Node and in the one for browsers. Prints a JSON list of texts.
import { readFileSync } from 'node:fs';
import { argv, exit, stdout } from 'node:process';

const [, , url, model, file] = argv;
const { OpenAI } = await import('openai');
const { OpenAIRealtimeWebSocket } = await import('openai/realtime/websocket');
const { OpenAIRealtimeWS } = await import('openai/realtime/ws');

const pcm = readFileSync(file);
const client = new OpenAI({ baseURL: url, apiKey: 'none', dangerouslyAllowBrowser: true });

function textOf(live) {
	return new Promise((resolve, reject) => {
		live.on('error', reject);
		live.on('session.created', () => {
			live.send({
				type: 'session.update',
				session: {
					type: 'transcription',
					audio: { input: { transcription: { model }, turn_detection: null } },
				},
			});
			for (let at = 0; at < pcm.length; at += 48_000) {
				const audio = pcm.subarray(at, at + 48_000).toString('base64');
				live.send({ type: 'input_audio_buffer.append', audio });
			}
			live.send({ type: 'input_audio_buffer.commit' });
		});
		live.on('conversation.item.input_audio_transcription.failed', ({ error }) =>
			reject(new Error(error.message)),
		);
		live.on('conversation.item.input_audio_transcription.completed', ({ transcript }) => {
			live.close();
			resolve(transcript);
		});
	});
}

const texts = [
	await textOf(new OpenAIRealtimeWS({ intent: 'transcription' }, client)),
	await textOf(new OpenAIRealtimeWebSocket({ intent: 'transcription' }, client)),
];
stdout.write(JSON.stringify(texts));
exit();
