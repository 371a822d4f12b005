// openai for Node, unmodified, without TLS: a recording in one commit, and by voice activity. Prints a JSON list of texts.
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { argv, stdout } from 'node:process';

const [, , url, model, file] = argv;
const { OpenAI } = await import('openai');
const { OpenAIRealtimeWS } = await import('openai/realtime/ws');

const pcm = readFileSync(file);
const options = { createConnection: ({ port, host }) => net.connect(port, host) };

/** What was told until `count` turns had their text. */
function texts(turnDetection, audio, isCommitted) {
	const live = new OpenAIRealtimeWS({ model, options }, new OpenAI({ baseURL: url, apiKey: 'none' }));
	return new Promise((resolve, reject) => {
		const found = [];
		const deltas = new Map();
		let open = 0;
		live.on('error', reject);
		live.on('session.created', () => {
			live.send({
				type: 'session.update',
				session: {
					type: 'transcription',
					audio: {
						input: {
							format: { type: 'audio/pcm', rate: 24_000 },
							transcription: { model },
							turn_detection: turnDetection,
						},
					},
				},
			});
		});
		live.on('session.updated', () => {
			for (let at = 0; at < audio.length; at += 4800) {
				const piece = audio.subarray(at, at + 4800).toString('base64');
				live.send({ type: 'input_audio_buffer.append', audio: piece });
			}
			if (isCommitted) live.send({ type: 'input_audio_buffer.commit' });
		});
		live.on('input_audio_buffer.speech_started', () => open++);
		live.on('input_audio_buffer.committed', () => (open += isCommitted ? 1 : 0));
		live.on('conversation.item.input_audio_transcription.delta', ({ item_id: id, delta }) =>
			deltas.set(id, (deltas.get(id) ?? '') + delta),
		);
		live.on('conversation.item.input_audio_transcription.failed', ({ error }) =>
			reject(new Error(error.message)),
		);
		live.on('conversation.item.input_audio_transcription.completed', ({ item_id: id, transcript }) => {
			if ((deltas.get(id) ?? '') !== transcript)
				reject(new Error('the deltas joined are not the transcript'));
			found.push(transcript);
			open--;
			if (open > 0) return;
			live.close();
			resolve(found);
		});
	});
}

const silence = Buffer.alloc(2 * 48_000);
const byVoice = await texts({ type: 'server_vad' }, Buffer.concat([silence, pcm, silence]), false);
const [whole] = await texts(null, pcm, true);
stdout.write(JSON.stringify([whole, byVoice.join(' ')]));
