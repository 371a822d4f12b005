import { describe, expect, it } from 'vitest';
import type { TurnRules } from '../../../../src/core/live/live.js';
import { type DetectedSpeech, type TurnEvent, Turns } from '../../../../src/core/live/turns.js';

const rules: TurnRules = { threshold: 0.5, prefixPaddingMs: 100, silenceDurationMs: 500 };
const semantic: TurnRules = { ...rules, silenceDurationMs: 2000, sentenceSilenceMs: 300 };

/** Positions in milliseconds, for people. */
const at = (ms: number) => ms * 16;

const quiet: DetectedSpeech = { spans: [], openSince: null, settled: 0 };
const speaking = (sinceMs: number, settledMs = sinceMs): DetectedSpeech => ({
	spans: [],
	openSince: at(sinceMs),
	settled: at(settledMs),
});
const spoke = (startMs: number, endMs: number): DetectedSpeech => ({
	spans: [{ start: at(startMs), end: at(endMs) }],
	openSince: null,
	settled: at(endMs),
});

const inMs = (events: readonly TurnEvent[]) =>
	events.map((event) => {
		const { type } = event;
		if (type === 'ended') return `${type} ${event.turn}: ${event.from / 16}–${event.to / 16}`;
		if (type === 'started' || type === 'stopped') return `${type} ${event.turn} at ${event.at / 16}`;
		return type === 'empty' ? `${type}: ${event.why}` : `${type} ${event.turn ?? 'nothing'}`;
	});

describe('turns by voice activity', () => {
	it('begin before the speech, by the padding, and end after the silence', () => {
		const turns = new Turns(rules);
		expect(turns.detect(at(1000), quiet)).toEqual([]);
		expect(inMs(turns.detect(at(1300), speaking(1150)))).toEqual(['started 0 at 1050']);
		expect(turns.detect(at(1700), speaking(1150))).toEqual([]);
		expect(inMs(turns.detect(at(2520), spoke(1150, 2000)))).toEqual([
			'stopped 0 at 2500',
			'ended 0: 1050–2500',
		]);
	});

	it('say with how much silence they end', () => {
		const silent = (events: readonly TurnEvent[]) =>
			events.flatMap((event) => (event.type === 'ended' ? [event.silent / 16] : []));
		const turns = new Turns(rules);
		turns.detect(at(1300), speaking(1150));
		expect(silent(turns.detect(at(2520), spoke(1150, 2000)))).toEqual([500]);
		turns.detect(at(3300), speaking(3150));
		expect(silent(turns.commit(1))).toEqual([0]);
		turns.detect(at(4300), speaking(4150));
		turns.detect(at(4700), spoke(4150, 4400));
		expect(silent(turns.commit(2))).toEqual([300]);
	});

	it('wait for their whole silence, whatever is said', () => {
		const turns = new Turns(rules);
		turns.detect(at(1300), speaking(1150));
		expect(turns.detect(at(2210), spoke(1150, 2000))).toEqual([]);
		turns.read('Seven three one.');
		expect(turns.detect(at(2490), quiet)).toEqual([]);
		expect(inMs(turns.detect(at(2510), quiet))).toEqual(['stopped 0 at 2500', 'ended 0: 1050–2500']);
	});

	it('do not reach back into the turn before', () => {
		const turns = new Turns(rules);
		turns.detect(at(1300), speaking(1150));
		turns.detect(at(2500), spoke(1150, 2000));
		expect(inMs(turns.detect(at(2700), speaking(2520)))).toEqual(['started 1 at 2500']);
	});

	it('may begin and end in one go', () => {
		const turns = new Turns(rules);
		expect(inMs(turns.detect(at(5000), spoke(1000, 2000)))).toEqual([
			'started 0 at 900',
			'stopped 0 at 2500',
			'ended 0: 900–2500',
		]);
	});

	it('end at a commit, and what is said after it is a turn of its own', () => {
		const turns = new Turns(rules);
		turns.detect(at(1300), speaking(1150));
		expect(inMs(turns.commit(7))).toEqual(['ended 0: 1050–1300']);
		// The speech may be over already: only later is it known to go on.
		expect(turns.detect(at(1400), speaking(1150, 1150))).toEqual([]);
		expect(turns.needed(0)).toBe(at(1300));
		expect(inMs(turns.detect(at(2000), speaking(1150, 1500)))).toEqual(['started 1 at 1300']);
	});

	it('need more than the rest of a word after a commit', () => {
		const turns = new Turns(rules);
		turns.detect(at(1300), speaking(1150));
		turns.commit(7);
		expect(turns.detect(at(1880), spoke(1150, 1380))).toEqual([]);
		expect(inMs(turns.commit(8))).toEqual(['empty: silent']);
	});

	it('without speech are refused', () => {
		const turns = new Turns(rules);
		turns.detect(at(3000), quiet);
		expect(turns.commit(1)).toEqual([{ type: 'empty', commit: 1, why: 'silent' }]);
	});

	it('are dropped by a clear, with their number', () => {
		const turns = new Turns(rules);
		turns.detect(at(1300), speaking(1150));
		expect(turns.clear(3)).toEqual([{ type: 'cleared', clear: 3, turn: 0 }]);
		expect(turns.clear(4)).toEqual([{ type: 'cleared', clear: 4 }]);
		expect(turns.end()).toEqual([]);
	});

	it('end with the audio', () => {
		const turns = new Turns(rules);
		turns.detect(at(1300), speaking(1150));
		expect(inMs(turns.end())).toEqual(['stopped 0 at 1300', 'ended 0: 1050–1300']);
	});

	it('go on without it, until a commit', () => {
		const turns = new Turns(rules);
		turns.detect(at(1300), speaking(1150));
		turns.configure(null);
		turns.detect(at(9000));
		expect(inMs(turns.commit(1))).toEqual(['ended 0: 1050–9000']);
	});
});

describe('turns by what is said', () => {
	it('end soon after a sentence', () => {
		const turns = new Turns(semantic);
		turns.detect(at(1300), speaking(1150));
		expect(turns.detect(at(2310), spoke(1150, 2000))).toEqual([]);
		turns.read('Seven three one.');
		expect(inMs(turns.detect(at(2370), quiet))).toEqual(['stopped 0 at 2370', 'ended 0: 1050–2370']);
	});

	it('wait for the rest of one', () => {
		const turns = new Turns(semantic);
		turns.detect(at(1300), speaking(1150));
		turns.detect(at(2310), spoke(1150, 2000));
		turns.read('Seven three');
		expect(turns.detect(at(3990), quiet)).toEqual([]);
		expect(inMs(turns.detect(at(4010), quiet))).toEqual(['stopped 0 at 4000', 'ended 0: 1050–4000']);
	});

	it('continue when speech continues', () => {
		const turns = new Turns(semantic);
		turns.detect(at(1300), speaking(1150));
		turns.detect(at(2310), spoke(1150, 2000));
		expect(turns.detect(at(3000), speaking(2800))).toEqual([]);
		expect(turns.detect(at(4300), spoke(2800, 4000))).toEqual([]);
		expect(inMs(turns.detect(at(6010), quiet))).toEqual(['stopped 0 at 6000', 'ended 0: 1050–6000']);
	});
});

describe('turns by commits', () => {
	it('have all of the audio', () => {
		const turns = new Turns(null);
		turns.detect(at(1000));
		expect(inMs(turns.commit(1))).toEqual(['ended 0: 0–1000']);
		turns.detect(at(2500));
		expect(inMs(turns.commit(2))).toEqual(['ended 1: 1000–2500']);
	});

	it.each([0, 99])('of %i ms are refused', (ms) => {
		const turns = new Turns(null);
		if (ms > 0) turns.detect(at(ms));
		expect(turns.commit(1)).toEqual([{ type: 'empty', commit: 1, why: 'short' }]);
	});

	it('begin after what was cleared', () => {
		const turns = new Turns(null);
		turns.detect(at(1000));
		turns.clear(1);
		turns.detect(at(1500));
		expect(inMs(turns.commit(2))).toEqual(['ended 1: 1000–1500']);
	});

	it('end with the audio, unless it is too short for one', () => {
		const turns = new Turns(null);
		turns.detect(at(50));
		expect(turns.end()).toEqual([]);
		turns.detect(at(1000));
		expect(inMs(turns.end())).toEqual(['ended 0: 0–1000']);
	});
});
