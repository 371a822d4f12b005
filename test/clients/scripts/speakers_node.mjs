// openai for Node: diarized_json whole and as a stream, with a known speaker. Prints a JSON list of what was said.
import { createReadStream, readFileSync } from 'node:fs';
import { argv, stdout } from 'node:process';
import { OpenAI } from 'openai';

const [, , url, file, reference] = argv;
const { transcriptions } = new OpenAI({ baseURL: url, apiKey: 'none', maxRetries: 0 }).audio;
const request = {
	model: 'gpt-4o-transcribe-diarize',
	response_format: 'diarized_json',
	chunking_strategy: 'auto',
	known_speaker_names: ['Ann'],
	known_speaker_references: [`data:audio/wav;base64,${readFileSync(reference).toString('base64')}`],
};
const lines = (segments) => segments.map(({ speaker, text }) => `${speaker}:${text}`).join('\n');

const whole = await transcriptions.create({ ...request, file: createReadStream(file) });
const segments = [];
let last;
for await (const event of await transcriptions.create({
	...request,
	file: createReadStream(file),
	stream: true,
})) {
	if (event.type === 'transcript.text.segment') segments.push(event);
	last = event;
}
if (last.type !== 'transcript.text.done' || last.text !== whole.text)
	throw new Error(`the stream ended with ${JSON.stringify(last)}`);
stdout.write(JSON.stringify([lines(whole.segments), lines(segments)]));
