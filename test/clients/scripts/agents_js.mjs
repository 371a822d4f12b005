// @openai/agents-realtime: a client of conversations, which gets the transcripts alone. Prints a JSON list of texts.
import { readFileSync } from 'node:fs';
import { argv, exit, stdout } from 'node:process';
import { OpenAIRealtimeWebSocket, RealtimeAgent, RealtimeSession } from '@openai/agents-realtime';

const [, , url, , file] = argv;
const transport = new OpenAIRealtimeWebSocket({
	url: `${url.replace('http', 'ws')}/realtime?model=gpt-realtime`,
	useInsecureApiKey: true,
});
const session = new RealtimeSession(new RealtimeAgent({ name: 'ears', instructions: 'Listen.' }), {
	transport,
	model: 'gpt-realtime',
});
const texts = [];
const over = new Promise((resolve, reject) => {
	session.on('error', ({ error }) => reject(new Error(JSON.stringify(error))));
	let open = 0;
	session.on('transport_event', (event) => {
		if (event.type === 'input_audio_buffer.speech_started') open++;
		if (event.type !== 'conversation.item.input_audio_transcription.completed') return;
		texts.push(event.transcript);
		if (--open === 0) resolve();
	});
});
await session.connect({ apiKey: 'none' });
const pcm = Buffer.concat([readFileSync(file), Buffer.alloc(5 * 48_000)]);
for (let at = 0; at < pcm.length; at += 4800)
	session.sendAudio(new Uint8Array(pcm.subarray(at, at + 4800)).buffer);
await over;
stdout.write(JSON.stringify([texts.join(' ')]));
session.close();
exit();
