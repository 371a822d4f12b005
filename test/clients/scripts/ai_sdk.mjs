// The Vercel AI SDK's streamTranscribe, over the live model names of OpenAI. Prints a JSON list of texts.
import { readFileSync } from 'node:fs';
import { argv, stdout } from 'node:process';
import { createOpenAI } from '@ai-sdk/openai';
import { experimental_streamTranscribe as streamTranscribe } from 'ai';

const [, , url, , file] = argv;
const pcm = readFileSync(file);

const result = streamTranscribe({
	model: createOpenAI({ baseURL: url, apiKey: 'none' }).transcription('gpt-realtime-whisper'),
	audio: new ReadableStream({
		start(controller) {
			for (let at = 0; at < pcm.length; at += 4800)
				controller.enqueue(new Uint8Array(pcm.subarray(at, at + 4800)));
			controller.close();
		},
	}),
	inputAudioFormat: { type: 'audio/pcm', rate: 24_000 },
});

let deltas = '';
for await (const part of result.fullStream) {
	if (part.type === 'transcript-delta') deltas += part.delta;
	if (part.type === 'error') throw part.error;
}
const text = await result.text;
if (deltas !== text) throw new Error('the deltas joined are not the text');
stdout.write(JSON.stringify([text]));
