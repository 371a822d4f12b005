// The Vercel AI SDK's transcribe under the name of OpenAI's model for speakers, which it asks for diarized_json and checks
// by a schema of its own. It sends no known speakers. Prints a JSON list of what was said.
import { readFileSync } from 'node:fs';
import { argv, stdout } from 'node:process';
import { createOpenAI } from '@ai-sdk/openai';
import * as ai from 'ai';

const [, , url, file] = argv;
const transcribe = ai.transcribe ?? ai.experimental_transcribe;
const { providerMetadata, segments, warnings } = await transcribe({
	model: createOpenAI({ baseURL: url, apiKey: 'none' }).transcription('gpt-4o-transcribe-diarize'),
	audio: readFileSync(file),
	maxRetries: 0,
});
const lines = providerMetadata.openai.segments;
if (warnings.length > 0 || lines.some(({ text }, at) => text !== segments[at].text))
	throw new Error(JSON.stringify({ warnings, lines, segments }));
stdout.write(JSON.stringify([lines.map(({ speaker, text }) => `${speaker}:${text}`).join('\n')]));
