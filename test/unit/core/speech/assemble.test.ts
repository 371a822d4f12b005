import { describe, expect, it } from 'vitest';
import { finished } from '../../../../src/core/speech/assemble.js';
import type { PipelineEvent, PlacedSegment } from '../../../../src/core/speech/events.js';
import type { Segment, Transcript } from '../../../../src/core/speech/transcript.js';

const about = { model: 'm', task: 'transcribe', language: null } as const;

type Said = { readonly text: string; readonly start: number; readonly end: number } & Partial<PlacedSegment>;

/** Clips that each have one segment, and end with it. */
function eventsOf(clips: readonly Said[]): PipelineEvent[] {
	const last = clips.at(-1)?.end ?? 0;
	return [
		{ type: 'started', duration: null },
		...clips.map(
			(said, clip): PipelineEvent => ({
				type: 'clip',
				clip,
				start: said.start,
				segments: [
					{
						seek: said.start * 100,
						tokens: [1, 13],
						temperature: 0,
						avgLogprob: -0.1,
						compressionRatio: 1,
						noSpeechProb: 0,
						...said,
					},
				],
				language: 'en',
				processed: said.end,
			}),
		),
		{ type: 'ended', duration: last, timing: { decode: 0, queue: 0, run: 0 } },
	];
}

async function* each(events: readonly PipelineEvent[]): AsyncGenerator<PipelineEvent> {
	yield* events;
}

async function assembled(clips: readonly Said[]): Promise<{ streamed: Segment[]; transcript: Transcript }> {
	const streamed: Segment[] = [];
	let transcript: Transcript | undefined;
	for await (const event of finished(each(eventsOf(clips)), about)) {
		if (event.type === 'segments') streamed.push(...event.segments);
		if (event.type === 'done') ({ transcript } = event);
	}
	if (!transcript) throw new Error('no transcript');
	return { streamed, transcript };
}

const textOf = async (clips: readonly Said[]) => (await assembled(clips)).transcript.text;

describe('A sentence that was cut into two clips', () => {
	const purpose = { text: ' Printing then for our purpose.', start: 52, end: 54.5 };
	const considered = { text: ' may be considered as an art.', start: 54.6, end: 60 };

	it('has no full stop at the cut', async () => {
		expect(await textOf([purpose, considered])).toBe(
			'Printing then for our purpose may be considered as an art.',
		);
	});

	it('streams the text that the transcript has', async () => {
		const { streamed, transcript } = await assembled([
			purpose,
			considered,
			{ ...purpose, start: 60, end: 63 },
		]);
		expect(streamed).toEqual(transcript.segments);
		expect(streamed.map(({ id }) => id)).toEqual([0, 1, 2]);
	});

	it('loses it in words and logprobs too, and keeps what else the model wrote', async () => {
		const words = [
			{ word: 'our', start: 53, end: 54 },
			{ word: 'purpose.', start: 54, end: 54.5 },
		];
		const logprobs = [
			{ token: ' purpose', logprob: -0.1, bytes: [32] },
			{ token: '.', logprob: -0.2, bytes: [46] },
		];
		const { transcript } = await assembled([{ ...purpose, words, logprobs }, considered]);
		expect(transcript.segments[0]).toMatchObject({ text: ' Printing then for our purpose', tokens: [1, 13] });
		expect(transcript.segments[0]?.words?.map(({ word }) => word)).toEqual(['our', 'purpose']);
		expect(transcript.segments[0]?.logprobs).toHaveLength(1);
	});

	it.each([
		['the next clip begins a sentence', purpose, { ...considered, text: ' May be considered.' }],
		['it begins with a name such as iPhone', purpose, { ...considered, text: ' iPhone is one.' }],
		['there is a pause between them', purpose, { ...considered, start: 55.5 }],
		['it is three dots', { ...purpose, text: ' Printing then...' }, considered],
		['it belongs to an abbreviation', { ...purpose, text: ' At nine a.m.' }, considered],
		['it belongs to an abbreviation of one word', { ...purpose, text: ' Types, ink, etc.' }, considered],
		['it belongs to one of another language', { ...purpose, text: ' Lettern, Tinte usw.' }, considered],
		['the model writes no capitals', { ...purpose, text: ' printing then for our purpose.' }, considered],
		['the model wrote both in one window', purpose, { ...considered, seek: 5200 }],
		['they are said in different channels', { ...purpose, channel: 0 }, { ...considered, channel: 1 }],
	])('keeps it where %s', async (_, first, second) => {
		const { transcript } = await assembled([first, second]);
		expect(transcript.segments.map(({ text }) => text)).toEqual([first.text, second.text]);
	});

	it('has none either where only an earlier sentence shows that the model writes capitals', async () => {
		const going = { text: ' in printing beautiful letters.', start: 54.5, end: 58 };
		const text = await textOf([
			{ ...purpose, text: ' Printing then' },
			going,
			{ ...considered, start: 58, end: 60 },
		]);
		expect(text).toBe('Printing then in printing beautiful letters may be considered as an art.');
	});

	it('is not waited for once nothing can follow closely', async () => {
		const events = eventsOf([purpose]);
		const silent: PipelineEvent = {
			type: 'clip',
			clip: 1,
			start: 54.6,
			segments: [],
			language: 'en',
			processed: 58,
		};
		events.splice(2, 0, silent);
		const ready: number[] = [];
		for await (const event of finished(each(events), about))
			if (event.type === 'segments') ready.push(event.segments.length);
		expect(ready).toEqual([0, 1]);
	});
});
