import { describe, expect, it } from 'vitest';
import { Metrics } from '../../../../src/metrics.js';
import { LiveAdmission, predictedLoad } from '../../../../src/server/live/admission/admission.js';
import { FakeClock } from '../../../helpers/fakes.js';

function arrange({ maxSessions = 100, slots = 2 } = {}) {
	const clock = new FakeClock();
	const admission = new LiveAdmission({ maxSessions, slots, metrics: new Metrics(), clock });
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

	it('are eight at most for one key', () => {
		const { admission } = arrange();
		const places = Array.from({ length: 8 }, () => admission.admit('tiny', 'sk-one'));
		expect(() => admission.admit('tiny', 'sk-one')).toThrow(/This API key has 8/);
		admission.admit('tiny', 'sk-two');
		admission.admit('tiny', '');
		places[0]?.leave();
		admission.admit('tiny', 'sk-one');
	});

	it('are refused where one more would keep the model too busy, until the work is less', () => {
		const { admission, clock } = arrange();
		const [first, other] = [admission.admit('tiny', ''), admission.admit('tiny', '')];
		for (let tick = 0; tick < 180; tick++) {
			clock.advance(1000);
			// Each keeps half a lane busy.
			first.worked(500);
			other.worked(500);
		}
		// The third would make it 1.5 of 2 slots.
		expect(() => admission.admit('tiny', '')).toThrow(/as busy as it can be/);
		admission.admit('other', '');
		clock.advance(60_000);
		admission.admit('tiny', '');
	});

	it('first of a model are always let in', () => {
		expect(predictedLoad(100, 0, 1)).toBe(0);
		expect(predictedLoad(0.5, 1, 2)).toBe(0.5);
		expect(predictedLoad(0.6, 3, 1)).toBeCloseTo(0.8);
	});
});
