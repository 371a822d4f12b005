import { describe, expect, it } from 'vitest';
import { canBecome, changed, isFinished, isJobId, jobStatuses, newJobId } from '../../../src/jobs/job.js';
import { changeBy, defaultJobRetention, finishedUnits } from '../../../src/jobs/outcome.js';
import { secondsUntilRetry } from '../../../src/jobs/queue.js';
import { UnitTurns } from '../../../src/jobs/unit-turns.js';
import { job, unit } from '../../contract/jobs/storage.contract.js';

describe('the states of a job', () => {
	it('lead where they may, and nowhere else', () => {
		const ways = jobStatuses.flatMap((from) =>
			jobStatuses.filter((to) => canBecome(from, to)).map((to) => `${from} → ${to}`),
		);
		expect(ways).toEqual([
			'queued → in_progress',
			'queued → failed',
			'queued → cancelled',
			'in_progress → queued',
			'in_progress → completed',
			'in_progress → failed',
			'in_progress → cancelled',
			'completed → expired',
			'failed → queued',
			'failed → expired',
			'cancelled → expired',
		]);
	});

	it('refuse another change with what they are', () => {
		expect(() => changed(job({ status: 'cancelled' }), { status: 'completed' })).toThrow(
			/is cancelled, so it cannot become completed/,
		);
		expect(changed(job(), { isPublished: true })).toMatchObject({
			isPublished: true,
			version: 2,
			status: 'queued',
		});
	});

	it('are finished but for two', () => {
		expect(jobStatuses.filter((status) => !isFinished({ status }))).toEqual(['queued', 'in_progress']);
	});
});

it('an id cannot be guessed, and names no path', () => {
	const ids = new Set(Array.from({ length: 100 }, newJobId));
	expect(ids.size).toBe(100);
	expect([...ids].every(isJobId)).toBe(true);
	for (const id of [
		'',
		'..',
		'trj_',
		`trj_${'0'.repeat(31)}`,
		`trj_${'0'.repeat(32)}/..`,
		`trj_${'G'.repeat(32)}`,
	])
		expect(isJobId(id)).toBe(false);
});

describe('what becomes of a job', () => {
	const result = { key: 'r', size: 1, sha256: '' };
	const change = (status: 'queued' | 'in_progress', ...units: Parameters<typeof changeBy>[1]) => {
		const made = job({ id, status, attempts: 1 });
		const finished = finishedUnits(made, units);
		const joined = finished && ('whole' in finished ? finished.whole : whole);
		const result = joined && { ref: joined, durationSeconds: 4 };
		return changeBy(made, units, result, { now: 100, retention: defaultJobRetention });
	};
	const id = newJobId();
	const whole = { key: `${id}/result.json`, size: 9, sha256: 'w' };
	const division = { key: `${id}/part-0-1.json`, size: 1, sha256: 'd' };
	const group = { key: `${id}/part-1-1.json`, size: 1, sha256: 'g' };
	const error = { code: 'engine_failed', message: 'no' } as const;

	it.each([
		['queued', [{ part: 0, state: 'waiting' }], undefined],
		['queued', [{ part: 0, state: 'leased' }], { status: 'in_progress', attempts: 2, startedAt: 100 }],
		['in_progress', [{ part: 0, state: 'leased' }], undefined],
		['in_progress', [{ part: 0, state: 'waiting' }], { status: 'queued' }],
		['queued', [{ part: 0, state: 'done', result }], { status: 'in_progress' }],
		[
			'in_progress',
			[{ part: 0, state: 'done', result }],
			{ status: 'completed', result, audio: null, durationSeconds: 4 },
		],
		[
			'in_progress',
			[
				{ part: 0, state: 'done', result: division },
				{ part: 1, state: 'waiting' },
			],
			undefined,
		],
		[
			'in_progress',
			[
				{ part: 0, state: 'leased' },
				{ part: 1, state: 'done', result: group },
			],
			undefined,
		],
		[
			'in_progress',
			[
				{ part: 0, state: 'done', result: division },
				{ part: 1, state: 'done', result: group },
			],
			{ status: 'completed', result: whole, audio: null },
		],
		[
			'in_progress',
			[
				{ part: 0, state: 'done', result },
				{ part: 1, state: 'leased' },
			],
			{ status: 'completed', result },
		],
		[
			'in_progress',
			[
				{ part: 0, state: 'done', result: division },
				{ part: 1, state: 'failed', error },
				{ part: 2, state: 'done', result: group },
			],
			{ status: 'failed', error },
		],
		[
			'in_progress',
			[
				{ part: 0, state: 'failed', error },
				{ part: 1, state: 'leased' },
			],
			{ status: 'failed', error, expiresAt: 100 + 7 * 86_400 },
		],
	] as const)('that is %s follows from its units %j', (status, units, expected) => {
		const patch = change(status, ...units);
		if (expected === undefined) expect(patch).toBeUndefined();
		else expect(patch).toMatchObject(expected);
	});
});

describe('the delay before another try', () => {
	it('doubles up to five minutes, is as long as the error asks, and ends after an hour', () => {
		expect([1, 2, 3, 10].map((failures) => secondsUntilRetry(failures, 0))).toEqual([5, 10, 20, 300]);
		expect(secondsUntilRetry(1, 0, 60)).toBe(60);
		expect(secondsUntilRetry(20, 3601)).toBeNull();
	});
});

describe('the turns of units', () => {
	function order(units: ReturnType<typeof unit>[]): string[] {
		const turns = new UnitTurns();
		const waiting = [...units];
		const taken: string[] = [];
		for (let next = turns.next(waiting); next; next = turns.next(waiting)) {
			waiting.splice(waiting.indexOf(next), 1);
			turns.took(next, waiting);
			taken.push(next.jobId);
		}
		return taken;
	}

	it('go by class, and within one by arrival', () => {
		expect(
			order([
				unit({ jobId: 'bulk', class: 'bulk' }),
				unit({ jobId: 'normal' }),
				unit({ jobId: 'second' }),
				unit({ jobId: 'interactive', class: 'interactive' }),
			]),
		).toEqual(['interactive', 'normal', 'second', 'bulk']);
	});

	it('go to a tenant with one short unit soon, however many another one has', () => {
		const many = Array.from({ length: 50 }, (_, at) => unit({ jobId: `a${at}`, tenant: 'a', seconds: 600 }));
		expect(order([...many, unit({ jobId: 'b', tenant: 'b' })]).indexOf('b')).toBeLessThan(2);
	});

	it('give bulk work a quarter of the audio while others wait', () => {
		const normal = Array.from({ length: 40 }, (_, at) => unit({ jobId: `n${at}` }));
		const bulk = Array.from({ length: 40 }, (_, at) => unit({ jobId: `b${at}`, class: 'bulk' }));
		const first = order([...normal, ...bulk]).slice(0, 40);
		expect(first.filter((id) => id.startsWith('b')).length).toBe(10);
	});
});
