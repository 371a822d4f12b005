import { describe, expect, it } from 'vitest';
import { uncovered } from '../../../src/pipeline/coverage.js';

const stretches = (...times: [number, number][]) => times.map(([start, end]) => ({ start, end }));

describe('speech without text', () => {
	it.each([
		[
			'nothing where all of it has text',
			[[1, 9]],
			[
				[1, 4],
				[4, 9],
			],
			[],
		],
		[
			'all of it where there is no text',
			[
				[1, 2],
				[4, 9],
			],
			[],
			[
				[1, 2],
				[4, 9],
			],
		],
		[
			'what is between two segments',
			[[0, 10]],
			[
				[0, 3],
				[6, 10],
			],
			[[3.3, 5.7]],
		],
		[
			'what is before and behind them',
			[[0, 10]],
			[[3, 4]],
			[
				[0, 2.7],
				[4.3, 10],
			],
		],
		[
			'nothing that is as short as a breath',
			[
				[0, 0.4],
				[2, 5],
			],
			[[2.7, 4.3]],
			[],
		],
		['nothing of what only begins or ends elsewhere', [[0, 5]], [[0.5, 4.5]], []],
		['nothing where there is no speech', [], [[0, 3]], []],
	] as [string, [number, number][], [number, number][], [number, number][]][])(
		'is %s',
		(_, speech, segments, expected) => {
			const found = uncovered(stretches(...speech), stretches(...segments));
			expect(found.map(({ start, end }) => [Number(start.toFixed(3)), Number(end.toFixed(3))])).toEqual(
				expected,
			);
		},
	);
});
