import { describe, expect, it } from 'vitest';
import { Metrics } from '../../../../src/core/metrics.js';
import { LiveAdmission, predictedLoad } from '../../../../src/server/live/admission/admission.js';
import { FakeClock } from '../../../helpers/fakes.js';

function arrange({ maxSessions = 100 } = {}) {
	const clock = new FakeClock();
	const admission = new LiveAdmission({ maxSessions, metrics: new Metrics(), clock });
	return { clock, admission };
}

describe('live sessions', () => {
	it('are refused above their number, and let in when one leaves', () => {
		const { admission } = arrange({ maxSessions: 2 });
		const [first] = [admission.admit('tiny', ''), admission.admit('tiny', '')];
		expect(() => admission.admit('tiny', '')).toThrow(/has 2 live sessions/);
		first.leave();
		first.leave();
		admission.admit('tiny', '');
		expect(() => admission.admit('tiny', '')).toThrow(/try again in 5 s/);
	});

	it('are counted in the singular where there is one', () => {
		const { admission } = arrange({ maxSessions: 1 });
		admission.admit('tiny', '');
		expect(() => admission.admit('tiny', '')).toThrow(/has 1 live session, as many/);
		expect(() => arrange({ maxSessions: 0 }).admission.admit('tiny', '')).toThrow(
			/has 0 live sessions, as many/,
		);
	});

	it('are eight at most for one key', () => {
		const { admission } = arrange();
		const places = Array.from({ length: 8 }, () => admission.admit('tiny', 'sk-one'));
		expect(() => admission.admit('tiny', 'sk-one')).toThrow(/This API key has 8/);
		admission.admit('tiny', 'sk-two');
		for (let count = 0; count < 9; count++) admission.admit('tiny', '');
		places[0]?.leave();
		admission.admit('tiny', 'sk-one');
	});

	it('are refused where one more would keep the model too busy, until the work is less', () => {
		const { admission, clock } = arrange();
		const places = [admission.admit('tiny', ''), admission.admit('tiny', '')];
		for (let second = 0; second < 180; second++) {
			clock.advance(1000);
			// Each keeps a quarter of the model busy.
			for (const place of places) place.recordLoad(1000, 250);
		}
		// The third would make it three quarters.
		expect(() => admission.admit('tiny', '')).toThrow(/as busy as it can be/);
		admission.admit('other', '');
		clock.advance(60_000);
		admission.admit('tiny', '');
	});

	it('that have ended do not count', () => {
		const { admission, clock } = arrange();
		const places = Array.from({ length: 4 }, () => admission.admit('tiny', ''));
		for (let second = 0; second < 20; second++) {
			clock.advance(1000);
			for (const place of places) place.recordLoad(1000, 250);
		}
		const idle = admission.admit('other', '');
		idle.model = 'tiny';
		expect(() => admission.admit('tiny', '')).toThrow(/as busy as it can be/);
		for (const place of places) place.leave();
		admission.admit('tiny', '');
	});

	it('are not judged by their first seconds', () => {
		const { admission, clock } = arrange();
		const place = admission.admit('tiny', '');
		clock.advance(2000);
		place.recordLoad(2000, 2000);
		admission.admit('tiny', '');
	});

	it('that send faster than people speak count as if they did not', () => {
		const { admission, clock } = arrange();
		const place = admission.admit('tiny', '');
		// A minute of audio in six seconds, in which the model does nothing else.
		for (let second = 0; second < 6; second++) {
			clock.advance(1000);
			place.recordLoad(10_000, 1000);
		}
		admission.admit('tiny', '');
		expect(place.share).toBeCloseTo(0.1);
	});

	it('take their work with them when they change their model', () => {
		const { admission, clock } = arrange();
		const place = admission.admit('tiny', '');
		clock.advance(20_000);
		place.recordLoad(20_000, 10_000);
		expect(() => admission.admit('tiny', '')).toThrow(/as busy as it can be/);
		place.model = 'other';
		admission.admit('tiny', '');
		admission.admit('other', '');
	});

	it('first of a model are always let in', () => {
		expect(predictedLoad([], 0)).toBe(0);
		expect(predictedLoad([0.25], 1)).toBe(0.5);
		expect(predictedLoad([0.1, 0.3], 4)).toBeCloseTo(1);
	});
});
