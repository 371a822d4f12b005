import { describe, expect, it } from 'vitest';
import { busyShare, ModelTime, StreamTime } from '../../../../src/pipeline/live/model-time.js';

function arrange(limits: { slots: number; maxBatchClips: number }, isStreaming = false) {
	let now = 0;
	const model = new ModelTime({ limits, isStreaming, now: () => now });
	return {
		pass: (ms: number) => (now += ms),
		streams: Array.from({ length: 16 }, () => new StreamTime(model)),
	};
}

describe('the time that live audio takes of a model', () => {
	it('is that of its slots', () => {
		const { pass, streams } = arrange({ slots: 2, maxBatchClips: 8 });
		const [first, second] = [streams[0]!, streams[1]!];
		const ended = first.begin();
		pass(100);
		const other = second.begin();
		pass(100);
		ended();
		ended();
		pass(100);
		other();
		expect([first.take(), second.take()]).toEqual([100, 100]);
		pass(100);
		expect([first.take(), second.take()]).toEqual([0, 0]);
	});

	it('is divided among concurrent work, so that the sum is the elapsed time', () => {
		const { pass, streams } = arrange({ slots: 2, maxBatchClips: 8 });
		const ends = streams.map((stream) => stream.begin());
		pass(160);
		for (const end of ends) end();
		const used = streams.map((stream) => stream.take());
		expect(new Set(used)).toEqual(new Set([10]));
	});

	it('includes work that is still running', () => {
		const { pass, streams } = arrange({ slots: 1, maxBatchClips: 1 });
		const [stream] = streams as [StreamTime];
		const ended = [stream.begin(), stream.begin()];
		pass(50);
		expect(stream.take()).toBe(50);
		pass(30);
		for (const end of ended) end();
		expect(stream.take()).toBe(30);
	});

	it('is that of whole batches for streams that take their steps together', () => {
		const streaming = { limits: { slots: 2, maxBatchClips: 8 }, isStreaming: true };
		expect([1, 8, 9, 16, 40].map((running) => busyShare(running, streaming))).toEqual([0.5, 0.5, 1, 1, 1]);
	});
});
