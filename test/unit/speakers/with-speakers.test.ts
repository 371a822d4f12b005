import { describe, expect, test } from 'vitest';
import { noOptions } from '../../../src/core/speech/options.js';
import type { SpeakerTurn } from '../../../src/core/speech/speakers.js';
import type { TranscriptEvent } from '../../../src/core/speech/transcript.js';
import { breaksBetween } from '../../../src/speakers/turn-breaks.js';
import { withSpeakers } from '../../../src/speakers/with-speakers.js';
import { eventsOf, FakeTranscriber } from '../../helpers/fakes.js';
import { segment, transcript } from '../../helpers/transcripts.js';

const turn = (start: number, end: number, speaker: number): SpeakerTurn => ({ start, end, speaker });

describe('a recording is cut between two speakers', () => {
	test.each<[string, SpeakerTurn[], number[]]>([
		['in the middle of the pause', [turn(0, 2, 0), turn(3, 5, 1), turn(5, 6, 0)], [2.5, 5]],
		['in the middle of the time in which both speak', [turn(0, 3, 0), turn(2, 5, 1)], [2.5]],
		['and not within the turns of one', [turn(0, 2, 0), turn(3, 5, 0)], []],
		['and not where one speaks within the turn of another', [turn(0, 9, 0), turn(3, 5, 1)], []],
		[
			'and not for less than a word',
			[turn(0, 2, 0), turn(2.2, 2.5, 1), turn(2.6, 4, 0), turn(5, 7, 1)],
			[4.5],
		],
		['and nowhere without speech', [], []],
	])('%s', (_, turns, breaks) => {
		expect(breaksBetween(turns)).toEqual(breaks);
	});
});

describe('a model without times of words', () => {
	const turns = [turn(0, 2, 0), turn(3, 5, 1)];
	const said = transcript([
		segment({ start: 0, end: 2.4, text: ' Hi there.' }),
		segment({ start: 2.6, end: 5, text: ' Hello you.' }),
	]);

	async function* diarized(): AsyncGenerator<TranscriptEvent> {
		yield { type: 'started', duration: 5 };
		yield { type: 'segments', segments: [], language: null, processed: 3 };
		const speakers = [0, 1].map(() => ({ name: null, voice: [1] }));
		yield { type: 'done', transcript: transcript([]), found: { turns, speakers, fingerprint: '' } };
	}

	async function attributed(model: FakeTranscriber, speakers: FakeTranscriber, words = false) {
		const options = { ...noOptions, words };
		const events: TranscriptEvent[] = [];
		const recording = { bytes: Buffer.from('x') };
		for await (const event of withSpeakers(model, speakers, recording, options, new AbortController().signal))
			events.push(event);
		return events;
	}

	test('transcribes turn by turn, once the turns are known', async () => {
		const order: string[] = [];
		const model = new FakeTranscriber({
			script: () => {
				order.push('transcribes');
				return eventsOf(said);
			},
		});
		const speakers = new FakeTranscriber({
			script: async function* () {
				yield* diarized();
				order.push('knows the turns');
			},
		});
		const events = await attributed(model, speakers);
		expect(order).toEqual(['knows the turns', 'transcribes']);
		expect(model.calls[0]?.options.breaks).toEqual([2.5]);
		expect(events.map(({ type }) => type).filter((type) => type === 'started')).toHaveLength(1);
		const last = events.at(-1);
		expect(last?.type === 'done' && last.transcript.text).toBe('A: Hi there.\nB: Hello you.');
	});

	test('is cancelled when diarization fails', async () => {
		const model = new FakeTranscriber();
		const speakers = new FakeTranscriber({
			// biome-ignore lint/correctness/useYield: it fails before the first event
			script: async function* () {
				throw new Error('no');
			},
		});
		await expect(attributed(model, speakers)).rejects.toThrow('no');
		expect(model.calls).toEqual([]);
	});

	test('is kept apart from a concurrent request with speakers', async () => {
		const model = new FakeTranscriber({ script: () => eventsOf(said) });
		await attributed(model, new FakeTranscriber({ script: diarized }), true);
		expect(model.calls[0]?.options).not.toHaveProperty('breaks');
	});
});
