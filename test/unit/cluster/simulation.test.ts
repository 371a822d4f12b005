/**
 * A thousand workers and a hundred thousand recordings, by the real rules and a clock of the test. `npm run simulate` runs
 * more seeds than continuous integration does.
 */

import { expect, test } from 'vitest';
import { simulate } from '../../helpers/cluster/cluster-simulation.js';

const whole = process.env.EARSHOT_SIMULATION === 'whole';
const seeds = whole ? [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] : [1];

test.each(seeds)(
	'nothing is lost or done twice, and it takes at most a tenth longer than it must (%i)',
	(seed) => {
		const jobs = 100_000;
		const result = simulate({
			seed,
			workers: 1000,
			jobs,
			long: 0.01,
			killed: 0.05,
			paused: 0.03,
			cutOff: 0.05,
			doubled: 0.01,
			lost: 0.001,
		});
		expect(result).toMatchObject({ done: jobs, doubleResults: 0, disorder: 0, wrongEnds: 0 });
		expect(result.groups).toBeGreaterThan(10_000);
		expect(result.redelivered).toBeGreaterThan(100);
		expect(result.fenced).toBeGreaterThan(10);
		expect(result.slowestNotice).toBeLessThanOrEqual(15);
		expect(result.makespan / result.ideal).toBeLessThan(1.1);
	},
	600_000,
);

test('one worker that is killed again and again gets through', () => {
	const result = simulate({
		seed: 5,
		workers: 1,
		jobs: 20,
		killed: 8,
		paused: 3,
		cutOff: 3,
		doubled: 0.2,
		lost: 0.2,
	});
	expect(result).toMatchObject({ done: 20, doubleResults: 0, disorder: 0 });
});

test('divided recordings end once, with all their groups in order, whichever workers die', () => {
	const trouble = { killed: 1.5, paused: 1, cutOff: 1, doubled: 0.05, lost: 0.1 };
	for (const seed of [1, 2, 3]) {
		const result = simulate({ seed, workers: 20, jobs: 600, long: 0.5, ...trouble });
		expect(result).toMatchObject({ done: 600, doubleResults: 0, disorder: 0, wrongEnds: 0 });
		expect(result.fenced).toBeGreaterThan(0);
		expect(result.redelivered).toBeGreaterThan(10);
	}
});

test('long recordings keep all workers busy', () => {
	const calm = { killed: 0, paused: 0, cutOff: 0, doubled: 0, lost: 0 };
	const alone = simulate({ seed: 3, workers: 1, jobs: 10, models: 1, long: 1, ...calm });
	const four = simulate({ seed: 3, workers: 4, jobs: 10, models: 1, long: 1, ...calm });
	expect(four.groups).toBe(alone.groups);
	expect(alone.makespan / four.makespan).toBeGreaterThan(3);
});

test('every delivery is doubled, and each result counts once', () => {
	const result = simulate({
		seed: 6,
		workers: 20,
		jobs: 500,
		killed: 0,
		paused: 0,
		cutOff: 0,
		doubled: 1,
		lost: 0,
	});
	expect(result).toMatchObject({ done: 500, doubleResults: 0, disorder: 0 });
	expect(result.redelivered).toBeGreaterThan(100);
});

test('those with little are done long before the one who brings half of everything', () => {
	const calm = { killed: 0, paused: 0, cutOff: 0, doubled: 0, lost: 0 };
	const { tenantsDone, makespan } = simulate({ seed: 7, workers: 50, jobs: 4000, models: 1, ...calm });
	for (const [tenant, at] of tenantsDone) if (tenant !== 't0') expect(at).toBeLessThan(0.85 * makespan);
});
