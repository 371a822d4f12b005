// @ts-check
/** Which recordings are transcribed, and what is said in them. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * @typedef {object} Recording
 * @property {string} id unique
 * @property {string} file path
 * @property {'speech' | 'long' | 'nonspeech'} kind `nonspeech`: nothing is to be written
 * @property {string} reference '' = nothing is said
 * @property {{ start: number, end: number }} [part] only these seconds of the file
 */

/** @typedef {Record<string, string>} Row */

/** @param {string} file with a line of names first @returns {Row[]} */
function rowsOf(file) {
	const [head = '', ...lines] = readFileSync(file, 'utf8').split('\n');
	const names = head.split('\t');
	return lines
		.filter((line) => line !== '')
		.map((line) => {
			const fields = line.split('\t');
			return Object.fromEntries(names.map((name, at) => [name, fields[at] ?? '']));
		});
}

/** @param {string} folder with MANIFEST.tsv @returns {Map<string, string>} of each path, what is said there */
export function transcriptsIn(folder) {
	return new Map(
		rowsOf(join(folder, 'MANIFEST.tsv')).map(({ path = '', transcript = '' }) => [path, transcript]),
	);
}

/** The text is a guess, or a machine's, or not all that is said. */
const doubtful =
	/verify|model output|asr output|large-v2|expected pipeline output|from memory|re-check|inferred|may be (spoken|clipped)|expects the phrase|first sentences|snippet of|headerless|text = expected/i;

/** Several people, or one several times, say the same there; elsewhere the same text is the same recording once more. */
const readAgain = new Set(['fsdd', 'speech_commands', 'vctk', 'speechocean762', 'pocketsphinx']);

/** Listed as noise, but a sentence is read between the noises. */
const spokenNoise = new Set(['nonspeech/noise_at_1500.mp3']);

const perFolder = 60;

/**
 * The rule: kind `speech`, language `en`, a transcript whose note does not call it doubtful; of the same text in a folder
 * the first, where it is one recording in several containers; of a folder at most 60, evenly from all in the order of their
 * paths (one corpus of single digits would outweigh all else).
 * @param {readonly Row[]} rows of the manifest
 * @param {number} [atMost] of a folder
 * @returns {Row[]} in the order of their paths
 */
export function chosenRows(rows, atMost = perFolder) {
	/** @type {Map<string, Row[]>} */
	const folders = new Map();
	const seen = new Set();
	const sorted = [...rows].sort((a, b) => ((a.path ?? '') < (b.path ?? '') ? -1 : 1));
	for (const row of sorted) {
		const { path = '', kind, language, transcript = '', notes = '' } = row;
		if (kind !== 'speech' || language !== 'en' || transcript === '' || transcript === 'none') continue;
		if (doubtful.test(notes)) continue;
		const folder = path.split('/')[0] ?? '';
		const said = `${folder}/${transcript
			.toLowerCase()
			.replace(/[^a-z0-9]+/g, ' ')
			.trim()}`;
		if (!readAgain.has(folder) && seen.has(said)) continue;
		seen.add(said);
		folders.set(folder, [...(folders.get(folder) ?? []), row]);
	}
	return [...folders.values()].flatMap((all) =>
		all.length <= atMost
			? all
			: Array.from({ length: atMost }, (_, at) => all[Math.floor((at * all.length) / atMost)] ?? {}),
	);
}

/**
 * @param {string} folder with MANIFEST.tsv
 * @param {{ all: boolean }} options `all`: without the bound for each folder, and with the utterances of `long`
 * @returns {Recording[]}
 */
export function manifestRecordings(folder, { all }) {
	const rows = rowsOf(join(folder, 'MANIFEST.tsv'));
	const file = (/** @type {Row} */ { path = '' }) => join(folder, path);
	/** @type {Recording[]} */
	const speech = chosenRows(rows, all ? Infinity : perFolder).map((row) => ({
		id: row.path ?? '',
		file: file(row),
		kind: 'speech',
		reference: row.transcript ?? '',
	}));
	const others = rows.filter(
		({ path = '', kind, language, transcript }) =>
			(kind === 'nonspeech' && !spokenNoise.has(path)) ||
			(kind === 'long' && language === 'en' && transcript !== 'none'),
	);
	/** @type {Recording[]} */
	const rest = others.map((row) => ({
		id: row.path ?? '',
		file: file(row),
		kind: row.kind === 'long' ? 'long' : 'nonspeech',
		reference: row.kind === 'long' ? (row.transcript ?? '') : '',
	}));
	return [...speech, ...(all ? utterances(rest, speech) : []), ...rest];
}

/**
 * Long files are made of utterances: those that are not among the recordings already.
 * @param {readonly Recording[]} recordings @param {readonly Recording[]} others
 * @returns {Recording[]}
 */
function utterances(recordings, others) {
	const said = new Set(others.map(({ reference }) => reference.toLowerCase()));
	return recordings.flatMap(({ id, file, kind }) => {
		const table = file.replace(/\.[^.]+$/, '.segments.tsv');
		if (kind !== 'long' || !existsSync(table)) return [];
		return rowsOf(table).flatMap(({ start_s: start, end_s: end, text = '' }, at) => {
			if (said.has(text.toLowerCase())) return [];
			const part = { start: Number(start), end: Number(end) };
			return [{ id: `${id}#${at}`, file, kind: /** @type {const} */ ('speech'), reference: text, part }];
		});
	});
}

/**
 * @param {string} folder with manifest.json
 * @returns {Recording[]}
 */
export function bundledRecordings(folder) {
	/** @type {{ file: string, kind: 'speech' | 'nonspeech', transcript: string }[]} */
	const entries = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')).recordings;
	return entries.map(({ file, kind, transcript }) => ({
		id: file,
		file: join(folder, file),
		kind,
		reference: transcript,
	}));
}
