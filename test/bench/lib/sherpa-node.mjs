/**
 * sherpa-onnx-node as its examples use it: one recognizer, clips awaited one by one.
 * Reads one JSON line from stdin, writes one to stdout.
 */

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { stdin, stdout } from 'node:process';
import { packageFolder } from './peers.mjs';
import { clips, floatsOf } from './speech.mjs';

let line = '';
for await (const chunk of stdin) line += chunk;
/** @type {{ type: 'zipformer_ctc' | 'sense_voice', model: string, tokens: string, threads: number, seconds: number }} */
const { type, model, tokens, threads, seconds } = JSON.parse(line);
const files = type === 'sense_voice' ? { senseVoice: { model } } : { zipformerCtc: { model } };
const { OfflineRecognizer } = createRequire(join(packageFolder(), 'package.json'))('sherpa-onnx-node');
const recognizer = new OfflineRecognizer({
	featConfig: { sampleRate: 16_000, featureDim: 80 },
	modelConfig: { ...files, tokens, numThreads: threads, provider: 'cpu', debug: 0 },
});
const kinds = clips(18).map(({ seconds: length, file }) => ({ length, samples: floatsOf(file) }));

const transcribe = async ({ samples }) => {
	const stream = recognizer.createStream();
	stream.acceptWaveform({ sampleRate: 16_000, samples });
	return await recognizer.decodeAsync(stream);
};
await transcribe(kinds[0]);
const texts = [];
const start = performance.now();
let audioSeconds = 0;
for (let next = 0; performance.now() - start < seconds * 1000; next++) {
	const kind = kinds[next % kinds.length];
	const { text } = await transcribe(kind);
	texts[next % kinds.length] ??= text;
	audioSeconds += kind.length;
}
stdout.write(`${JSON.stringify({ audioSeconds, wallSeconds: (performance.now() - start) / 1000, texts })}\n`);
