import { describe, expect, it } from 'vitest';
import { Metrics } from '../../../src/core/metrics.js';
import { Admission, secondsAhead } from '../../../src/server/request/admission.js';
import { Throughput } from '../../../src/server/request/throughput.js';
import { UploadBudget } from '../../../src/server/upload/budget.js';
import { FakeClock } from '../../helpers/fakes.js';

function arrange(maxQueueSeconds = 100) {
	const clock = new FakeClock();
	const metrics = new Metrics();
	return { clock, metrics, admission: new Admission({ maxQueueSeconds, metrics, clock }) };
}

const refused = (act: () => unknown): unknown => {
	try {
		act();
	} catch (thrown) {
		return thrown;
	}
	throw new Error('it was not refused');
};

describe('the audio ahead of a recording', () => {
	it('is as much of each other one as its own length, since they take turns', () => {
		expect(secondsAhead([3600, 3600], 600)).toBe(1200);
		expect(secondsAhead([3600, 60], 600)).toBe(660);
		expect(secondsAhead([], 14_400)).toBe(0);
	});

	it('is a whole turn of each, however short it is itself', () => {
		expect(secondsAhead([3600, 5], 2)).toBe(35);
	});
});

describe('admission', () => {
	it('never refuses a recording that is alone, however long', () => {
		const { admission } = arrange();
		expect(() => admission.admit('tiny', 14_400)).not.toThrow();
	});

	it('lets a dictation in beside a file of hours, and not a second such file', () => {
		const { admission } = arrange();
		admission.admit('tiny', 14_400);
		admission.admit('tiny', 5);
		expect(refused(() => admission.admit('tiny', 14_400))).toMatchObject({ code: 'overloaded' });
	});

	it('bounds each model by itself', () => {
		const { admission } = arrange();
		admission.admit('tiny', 1000);
		expect(() => admission.admit('large', 1000)).not.toThrow();
	});

	it('says when to retry, by recent throughput', () => {
		const { admission, clock } = arrange();
		const place = admission.admit('tiny', 1000);
		// Ten times as fast as spoken.
		for (let second = 1; second <= 60; second++) {
			clock.advance(1000);
			place.processedUpTo(second * 10);
		}
		const error = refused(() => admission.admit('tiny', 1000));
		// 400 s remain, of which 300 have to go, at nearly 10 s in a second.
		expect(error).toMatchObject({ code: 'overloaded', retryAfterSeconds: 31 });
	});

	it('shrinks as recordings are transcribed, and when their requests end', () => {
		const { admission } = arrange();
		const first = admission.admit('tiny', 150);
		refused(() => admission.admit('tiny', 150));
		first.processedUpTo(60);
		const second = admission.admit('tiny', 150);
		refused(() => admission.admit('tiny', 150));
		first.leave();
		first.leave();
		second.leave();
		expect(() => admission.admit('tiny', 150)).not.toThrow();
	});

	it('puts a guess right when the length is known', () => {
		const { admission } = arrange();
		const place = admission.admit('tiny', 10);
		place.setLength(500);
		expect(refused(() => admission.admit('tiny', 500))).toMatchObject({ code: 'overloaded' });
	});

	it('gives a recording its position, and the expected wait', () => {
		const { admission } = arrange();
		const first = admission.admit('tiny', 20);
		const second = admission.admit('tiny', 20);
		const third = admission.admit('tiny', 20);
		expect(first.position).toEqual({ recordings: 0, seconds: 0 });
		expect(third.position).toEqual({ recordings: 2, seconds: 40 });
		second.leave();
		expect(third.position).toEqual({ recordings: 1, seconds: 20 });
	});

	it('counts what it refuses, and shows what waits', async () => {
		const { admission, metrics } = arrange();
		admission.admit('tiny', 150);
		refused(() => admission.admit('tiny', 150));
		const text = await metrics.render();
		expect(text).toContain('earshot_refusals_total{model="tiny",reason="queue"} 1');
		expect(text).toContain('earshot_queue_seconds{model="tiny",class="request"} 150');
		expect(text).toContain('earshot_queue_recordings{model="tiny"} 1');
		expect(text).toContain('earshot_real_time_factor{model="tiny"} 1');
	});
});

describe('the bytes of uploads', () => {
	function uploads(maxBytes = 100) {
		return new UploadBudget({ maxBytes, metrics: new Metrics(), clock: new FakeClock() });
	}

	it('are bounded together, and free again when their request ends', () => {
		const all = uploads();
		const first = all.begin(60);
		first.add(60);
		expect(refused(() => all.begin(60))).toMatchObject({ code: 'overloaded', retryAfterSeconds: 1 });
		first.release();
		first.release();
		all.begin(60).add(60);
		expect(refused(() => all.begin(60))).toMatchObject({ code: 'overloaded' });
	});

	it('never count against an upload that is alone', () => {
		const all = uploads();
		const alone = all.begin(1000);
		alone.add(1000);
		expect(() => alone.add(4000)).not.toThrow();
	});

	it('take no space before they have arrived, whatever was declared', () => {
		const all = uploads();
		all.begin(100);
		all.begin(100);
		expect(() => all.begin(60).add(60)).not.toThrow();
	});

	it('are counted as they arrive', () => {
		const all = uploads();
		all.begin(60).add(60);
		const growing = all.begin(0);
		growing.add(30);
		expect(refused(() => growing.add(11))).toMatchObject({ code: 'overloaded' });
		growing.add(10);
		growing.release();
		expect(() => all.begin(40)).not.toThrow();
	});

	it('are free again about when they were said to be', () => {
		const clock = new FakeClock();
		const all = new UploadBudget({ maxBytes: 100_000_000, metrics: new Metrics(), clock });
		// Ten minutes in which an upload of 20 MB ends every ten seconds.
		for (let upload = 0; upload < 60; upload++) {
			const reservation = all.begin(0);
			reservation.add(20_000_000);
			clock.advance(10_000);
			reservation.release();
		}
		all.begin(0).add(90_000_000);
		// 20 MB have to go, at 2 MB a second; a whole number that is not too early.
		expect(refused(() => all.begin(30_000_000))).toMatchObject({ retryAfterSeconds: 11 });
	});
});

describe('the throughput of a model', () => {
	it('is what was done lately, of the time there was work', () => {
		const throughput = new Throughput(1);
		for (let second = 0; second < 1000; second++) throughput.add(10, 1);
		expect(throughput.perSecond).toBeCloseTo(10, 1);
		for (let second = 0; second < 60; second++) throughput.add(2, 1);
		expect(throughput.perSecond).toBeCloseTo(6, 0);
	});

	it('gives whole seconds, one at least, and no nonsense where nothing moves', () => {
		const throughput = new Throughput(10);
		expect(throughput.secondsFor(1)).toBe(1);
		expect(throughput.secondsFor(101)).toBe(11);
		throughput.add(0, 1e6);
		expect(throughput.secondsFor(100)).toBe(86_400);
	});
});
