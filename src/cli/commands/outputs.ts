/** Writes transcripts to files in a folder, or to standard output with the names of their recordings. */

import { realpathSync } from 'node:fs';
import { rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { makeFolder } from '../../core/disk/disk.js';
import { codeOf, EarshotError } from '../../core/errors.js';
import type { FormatName } from '../../formats/formats.js';
import type { RecordingFile } from './recordings.js';

const endings = {
	text: '.txt',
	json: '.json',
	verbose_json: '.json',
	diarized_json: '.json',
	srt: '.srt',
	vtt: '.vtt',
	tsv: '.tsv',
	lrc: '.lrc',
	markdown: '.md',
} as const satisfies Record<FormatName, string>;

export interface OutputOptions {
	/** undefined = standard output. */
	readonly outputDir: string | undefined;
	readonly format: FormatName;
	/** Overwrite existing transcripts. */
	readonly force: boolean;
}

/** The path of each recording's transcript; empty if all go to standard output. Throws `invalid_request` before any
 * work if a transcript would overwrite another file. */
export async function outputsOf(
	recordings: readonly RecordingFile[],
	{ outputDir, format, force }: OutputOptions,
): Promise<readonly string[]> {
	if (outputDir === undefined) return [];
	await checkFolder(outputDir);
	const outputs = placesOf(recordings, endings[format]).map((place) => path.join(outputDir, place));
	const twice = outputs.find((output, index) => outputs.map(folded).indexOf(folded(output)) !== index);
	if (twice !== undefined)
		throw refusal(`two of the recordings would be written to ${twice}; transcribe them to different folders`);
	const own = new Set(recordings.map((recording) => realOf(recording.path)));
	const overwritten = outputs.find((output) => own.has(realOf(output)));
	if (overwritten !== undefined)
		throw refusal(`the recording ${overwritten} would be overwritten by a transcript`);
	for (const output of force ? [] : outputs)
		if (await exists(output)) throw refusal(`${output} exists already; to overwrite transcripts: --force`);
	return outputs;
}

/** `talk.mp3` → `talk.txt`; together with `talk.wav`: `talk.mp3.txt` and `talk.wav.txt`. Pure. */
export function placesOf(recordings: readonly Pick<RecordingFile, 'place'>[], ending: string): string[] {
	const stems = recordings.map(({ place }) => stemOf(place));
	const counts = new Map<string, number>();
	for (const stem of stems.map(folded)) counts.set(stem, (counts.get(stem) ?? 0) + 1);
	return recordings.map(({ place }, index) => {
		const stem = stems[index] ?? place;
		return `${(counts.get(folded(stem)) ?? 0) > 1 ? place : stem}${ending}`;
	});
}

function stemOf(place: string): string {
	return path.join(path.dirname(place), path.parse(place).name);
}

/** For comparing paths: file systems of Windows and macOS ignore case. */
function folded(file: string): string {
	return file.toLowerCase();
}

async function checkFolder(folder: string): Promise<void> {
	const info = await stat(folder).catch(() => undefined);
	if (info !== undefined && !info.isDirectory())
		throw refusal(`Expected \`--output-dir\` to be a folder, got the file ${folder}`);
	// Otherwise a folder named `talk.srt` would be created.
	if (info === undefined && Object.values(endings).some((ending) => folder.endsWith(ending)))
		throw refusal(
			`Expected \`--output-dir\` to be a folder, got \`${folder}\`; to write one transcript to a file: > ${folder}`,
		);
	await made(folder, makeFolder(folder));
}

/** Writes a transcript; removes the file if it could not be written completely. Throws `invalid_request`. */
export async function writeOutput(output: string, text: string, force: boolean): Promise<void> {
	await made(path.dirname(output), makeFolder(path.dirname(output)));
	try {
		await writeFile(output, text, { flag: force ? 'w' : 'wx' });
	} catch (cause) {
		if (codeOf(cause) !== 'EEXIST') await rm(output, { force: true }).catch(() => {});
		const why = cause instanceof Error ? cause.message : String(cause);
		throw new EarshotError('invalid_request', `the transcript could not be written: ${why}`, { cause });
	}
}

async function made(folder: string, work: Promise<void>): Promise<void> {
	try {
		await work;
	} catch (cause) {
		const why = cause instanceof Error ? cause.message : String(cause);
		throw new EarshotError(
			'invalid_request',
			`Expected \`--output-dir\` to be a folder that can be created, got \`${folder}\`: ${why}`,
			{ cause },
		);
	}
}

/** Adds the recording's name if several transcripts go to standard output: as a heading like that of `head`, or in JSON
 * as the field `file`. */
export function named(text: string, name: string, format: FormatName): string {
	if (format === 'json' || format === 'verbose_json') {
		const body = JSON.parse(text) as Record<string, unknown>;
		return `${JSON.stringify({ file: name, ...body })}\n`;
	}
	return `==> ${name} <==\n${text}\n`;
}

function realOf(file: string): string {
	try {
		return realpathSync(file);
	} catch {
		return path.resolve(file);
	}
}

async function exists(file: string): Promise<boolean> {
	return (await stat(file).catch(() => undefined)) !== undefined;
}

function refusal(message: string): EarshotError {
	return new EarshotError('invalid_request', message);
}
