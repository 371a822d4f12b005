/**
 * The diarization error rate, as pyannote.metrics and NIST's md-eval count it: of the time that people speak, the share in
 * which a speaker is missed, made up or confused, with the best assignment of found speakers to true ones. Overlap counts.
 */

/**
 * @typedef {{ start: number, end: number, speaker: string | number }} Turn
 * @typedef {{ total: number, missed: number, falseAlarm: number, confused: number }} Errors seconds
 */

/** @returns {Turn[]} of a file in NIST's format. */
export function readRttm(/** @type {string} */ text) {
	return text
		.split('\n')
		.map((line) => line.trim().split(/\s+/))
		.filter(([kind]) => kind === 'SPEAKER')
		.map(([, , , start, seconds, , , speaker]) => ({
			start: Number(start),
			end: Number(start) + Number(seconds),
			speaker: speaker ?? '',
		}));
}

/** `collar`: seconds on either side of each true start and end that are not counted. @returns {Errors} */
export function errorsOf(/** @type {Turn[]} */ truth, /** @type {Turn[]} */ found, collar = 0) {
	const stretches = stretchesOf(truth, found, collar);
	const together = new Map();
	for (const { seconds, spoken, detected } of stretches)
		for (const one of detected)
			for (const other of spoken) {
				const row = together.get(one) ?? new Map();
				row.set(other, (row.get(other) ?? 0) + seconds);
				together.set(one, row);
			}
	const mapping = bestMapping(together, [...new Set(stretches.flatMap(({ spoken }) => spoken))]);
	const errors = { total: 0, missed: 0, falseAlarm: 0, confused: 0 };
	for (const { seconds, spoken, detected } of stretches) {
		const right = detected.filter((speaker) => spoken.includes(mapping.get(speaker))).length;
		errors.total += seconds * spoken.length;
		errors.missed += seconds * Math.max(0, spoken.length - detected.length);
		errors.falseAlarm += seconds * Math.max(0, detected.length - spoken.length);
		errors.confused += seconds * (Math.min(spoken.length, detected.length) - right);
	}
	return errors;
}

/** Percent. */
export function rateOf(/** @type {Errors} */ { total, missed, falseAlarm, confused }) {
	return total === 0 ? 0 : (100 * (missed + falseAlarm + confused)) / total;
}

/** @returns {Errors} of several files together. */
export function pooled(/** @type {Errors[]} */ all) {
	const sum = { total: 0, missed: 0, falseAlarm: 0, confused: 0 };
	for (const each of all) for (const key of Object.keys(sum)) sum[key] += each[key];
	return sum;
}

/** Between any two neighbouring borders: who speaks, and who was found to. */
function stretchesOf(truth, found, collar) {
	const collars =
		collar > 0 ? truth.flatMap(({ start, end }) => [start, end]).map((at) => [at - collar, at + collar]) : [];
	const borders = [...truth, ...found].flatMap(({ start, end }) => [start, end]).concat(collars.flat());
	const times = [...new Set(borders)].sort((a, b) => a - b);
	const at = (turns, time) => [
		...new Set(turns.filter(({ start, end }) => start <= time && time < end).map(({ speaker }) => speaker)),
	];
	return times.slice(1).flatMap((end, index) => {
		const start = times[index];
		const middle = (start + end) / 2;
		if (collars.some(([from, to]) => from <= middle && middle < to)) return [];
		return [{ seconds: end - start, spoken: at(truth, middle), detected: at(found, middle) }];
	});
}

/**
 * Found speaker → true speaker, one to one, with the most together. Tries every set of true speakers.
 * @param {Map<string | number, Map<string | number, number>>} together how much found speakers have with true ones
 * @param {(string | number)[]} people the true speakers
 */
export function bestMapping(together, people) {
	/** Set of true speakers that are taken → the best so far. */
	let best = new Map([[0, { much: 0, pairs: [] }]]);
	for (const [one, row] of together) {
		const next = new Map(best);
		for (const [taken, { much, pairs }] of best) {
			people.forEach((person, index) => {
				if (taken & (1 << index)) return;
				const all = much + (row.get(person) ?? 0);
				const now = taken | (1 << index);
				if (all > (next.get(now)?.much ?? -1)) next.set(now, { much: all, pairs: [...pairs, [one, person]] });
			});
		}
		best = next;
	}
	const [first] = [...best.values()].sort((a, b) => b.much - a.much);
	return new Map(first.pairs);
}
