// @ts-check
/** Scores as text, at most 100 columns wide. */

/**
 * @typedef {object} Row
 * @property {import('./score.mjs').Score} score
 * @property {ReturnType<typeof import('./bootstrap.mjs').pairedDifference>} toFloat
 * @property {ReturnType<typeof import('./bootstrap.mjs').pairedDifference>} toDefault
 * @property {{ to: string, points: ReturnType<typeof import('./bootstrap.mjs').pairedDifference> }} [alone] to floats with
 *   the same context and beam
 * @property {number} speed audio seconds a second
 * @property {number} thrift audio seconds a second of one core; NaN = not known
 * @property {boolean} timed words have times
 */

const signed = (/** @type {number} */ points) => `${points < 0 ? '-' : '+'}${Math.abs(points).toFixed(2)}`;
const interval = (/** @type {Row['toFloat']} */ { difference, low, high }) =>
	`${signed(difference)} (${signed(low)} ${signed(high)})`;

const columns = /** @type {const} */ ([
	['system or encoder,', '  decoder, context, beam', 26],
	[' WER', '   %', 6],
	['sub/del/', '  ins', 11],
	['points to float,', '    95 %', 20],
	['points to default,', '    95 %', 20],
	['no', 'one', 4],
	['aft', 'er', 4],
	['ze', 'ro', 4],
	['hot', '', 4],
]);

/** @param {Row} row */
function cells({ score, toFloat, toDefault, timed }) {
	const { substituted, deleted, inserted } = score.errors;
	const ifTimed = (/** @type {number} */ count) => (timed ? `${count}` : '-');
	return [
		score.name,
		score.rate.toFixed(2).padStart(5),
		`${substituted}/${deleted}/${inserted}`,
		interval(toFloat),
		interval(toDefault),
		`${score.fromNothing.length}`,
		ifTimed(score.afterEnd),
		ifTimed(score.zeroWords),
		`${score.fellBack}`,
	];
}

const line = (/** @type {readonly string[]} */ texts) =>
	texts
		.map((text, at) => text.padEnd(columns[at]?.[2] ?? 0))
		.join('')
		.trimEnd();

const legend = `
float: ggml as-is full 1. no one: recordings without speech that got text. after: segments and words
with times beyond the end. zero: words that end where they begin. hot: recordings with text of a
higher temperature. Points of word error rate; intervals by the paired bootstrap over recordings.`;

/** @param {readonly Row[]} rows @returns {string} */
export function accuracyTable(rows) {
	return [
		line(columns.map(([first]) => first)),
		line(columns.map(([, second]) => second)),
		...rows.map((row) => line(cells(row))),
		legend,
	].join('\n');
}

/** A loss that is accepted of a default: what it may be at most, with 95 %, in points of word error rate. */
const acceptedLoss = 0.3;

/** The cost of the arithmetic alone: beside floats with the same audio context. @param {readonly Row[]} rows @returns {string} */
export function arithmeticTable(rows) {
	const lines = rows.flatMap(({ score: { name }, alone }) => {
		if (alone === undefined) return [];
		const verdict = alone.points.high < acceptedLoss ? 'under' : 'not under';
		return [`${name.padEnd(27)}${interval(alone.points)}  ${verdict.padEnd(10)} ${alone.to}`];
	});
	return lines.length === 0
		? ''
		: [
				`points to floats of the same context and beam (95 %), and whether under ${acceptedLoss}`,
				...lines,
			].join('\n');
}

/** @param {readonly Row[]} rows @param {Row} usual the default @returns {string} */
export function speedTable(rows, usual) {
	const column = (/** @type {number} */ value, /** @type {number} */ beside) =>
		Number.isNaN(value)
			? '       -        '
			: `${value.toFixed(1).padStart(8)} ${(value / beside).toFixed(2).padStart(6)}x`;
	return [
		'audio seconds transcribed, and over the default',
		`${''.padEnd(27)}${'in a second'.padEnd(16)}   in a second of one core`,
		...rows.map(
			({ score: { name }, speed, thrift }) =>
				`${name.padEnd(27)}${column(speed, usual.speed)}   ${column(thrift, usual.thrift)}`,
		),
	].join('\n');
}

/** @param {readonly Row[]} rows @returns {string} */
export function longTable(rows) {
	const lines = rows.flatMap(({ score: { name, long }, timed }) =>
		long.map(
			({ id, rate, zeroWords }) =>
				`${name.padEnd(27)}${rate.toFixed(2).padStart(6)} ${timed ? `${zeroWords}`.padStart(5) : '    -'}  ${id}`,
		),
	);
	return lines.length === 0 ? '' : ['long files: word error rate, words of length zero', ...lines].join('\n');
}
