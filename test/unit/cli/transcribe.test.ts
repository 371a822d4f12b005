/** Which recordings are meant, and where their transcripts go. */

import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import {
	named,
	type OutputOptions,
	outputsOf,
	placesOf,
	writeOutput,
} from '../../../src/cli/commands/outputs.js';
import { findRecordings } from '../../../src/cli/commands/recordings.js';
import { withReadable } from '../../../src/cli/commands/spool.js';
import { Scratch } from '../../helpers/net/real-server.js';

const never = new AbortController().signal;
let scratch: Scratch;
const at = (...parts: string[]) => path.join(scratch.path, ...parts);
beforeEach(() => {
	scratch = new Scratch();
	for (const folder of ['talks', 'talks/day 2', 'talks/.hidden', 'empty']) mkdirSync(at(folder));
	for (const file of ['talks/b.wav', 'talks/a.MP3', 'talks/notes.txt', 'talks/.c.wav', 'talks/day 2/c.flac'])
		writeFileSync(at(file), file);
	writeFileSync(at('talks/.hidden/d.wav'), '');
	symlinkSync(at('talks'), at('talks', 'day 2', 'back'));
});
afterEach(() => scratch[Symbol.dispose]());

const found = async (names: readonly string[], recursive = false) =>
	(await findRecordings(names, recursive)).map((each) => each.path.replace(`${scratch.path}/`, ''));

describe('recordings', () => {
	it('are the files that are named, whatever their names', async () => {
		expect(await found([at('talks/notes.txt'), at('nowhere.wav')])).toEqual([
			'talks/notes.txt',
			'nowhere.wav',
		]);
	});

	it('in a folder and those below are meant by --recursive, by name, and transcripts keep their places', async () => {
		expect(await found([at('talks')], true)).toEqual(['talks/a.MP3', 'talks/b.wav', 'talks/day 2/c.flac']);
		const places = (await findRecordings([at('talks')], true)).map(({ place }) => place);
		expect(places).toEqual(['a.MP3', 'b.wav', 'day 2/c.flac']);
	});

	it('in a folder are refused without it, naming the command', async () => {
		await expect(found([at('talks')])).rejects.toThrow(/is a folder. .*earshot transcribe --recursive /);
		await expect(found([at('empty')], true)).rejects.toThrow('holds no recordings');
	});

	it.each([
		['*.wav', ['talks/b.wav']],
		['?.*', ['talks/a.MP3', 'talks/b.wav']],
		['*', ['talks/a.MP3', 'talks/b.wav', 'talks/notes.txt']],
		['d*/*.flac', ['talks/day 2/c.flac']],
		['.c*', ['talks/.c.wav']],
	])('may be meant by the pattern %s, as cmd.exe leaves it', async (pattern, files) => {
		expect(await found([at('talks', pattern)])).toEqual(files);
	});

	it('of which the name has a star are themselves', async () => {
		writeFileSync(at('a*.wav'), '');
		writeFileSync(at('ab.wav'), '');
		expect(await found([at('a*.wav')])).toEqual(['a*.wav']);
	});

	it.each([
		['a pattern that matches nothing', ['nothing/*.wav'], 'No file matches'],
		['standard input twice', ['-', '/dev/stdin'], 'only once'],
		['a device', ['/dev/zero'], '/dev/zero is a device'],
		['no name, as of a variable that is not set', [''], 'Expected `file` to be the name of a recording'],
		[
			'an address',
			['https://a.example/b?c&d'],
			"To transcribe it: curl -L 'https://a.example/b?c&d' | earshot",
		],
	])('are refused for %s', async (_, names, message) => {
		await expect(found(names)).rejects.toThrow(message);
	});

	it('may come from standard input', async () => {
		for (const name of ['-', '/dev/stdin', '/dev/fd/0'])
			expect(await findRecordings([name], false)).toEqual([
				{ name: 'standard input', path: '', place: 'stdin' },
			]);
	});
});

describe.skipIf(process.platform === 'win32')('a pipe', () => {
	it('is copied to a file, which is removed', async () => {
		execFileSync('mkfifo', [at('pipe')]);
		let copy = '';
		const reading = withReadable(at('pipe'), never, async (file) => {
			copy = file;
			return readFileSync(file, 'utf8');
		});
		const writer = spawn('sh', ['-c', `printf 'some sound' > ${at('pipe')}`]);
		onTestFinished(() => void writer.kill());
		expect(await reading).toBe('some sound');
		expect(() => readFileSync(copy)).toThrow('ENOENT');
	});

	it('that has no writer can be interrupted', async () => {
		execFileSync('mkfifo', [at('pipe')]);
		const gone = new AbortController();
		const reading = withReadable(at('pipe'), gone.signal, async () => 'read');
		gone.abort();
		await expect(reading).rejects.toMatchObject({ code: 'cancelled' });
	});
});

describe('transcripts', () => {
	const recordings = (...places: string[]) =>
		places.map((place) => ({ name: place, path: at(place), place }));
	const options = (given: Partial<OutputOptions> = {}): OutputOptions => ({
		outputDir: at('out'),
		format: 'srt',
		force: false,
		...given,
	});

	it('are called as their recordings, with the ending where the names are the same', () => {
		expect(placesOf(recordings('a.mp3', 'b.wav', 'x/b.wav'), '.txt')).toEqual(['a.txt', 'b.txt', 'x/b.txt']);
		expect(placesOf(recordings('a.mp3', 'A.wav', 'c'), '.txt')).toEqual(['a.mp3.txt', 'A.wav.txt', 'c.txt']);
	});

	it('are put into a folder that is made', async () => {
		expect(await outputsOf(recordings('a.mp3'), options({ outputDir: at('new', 'folder') }))).toEqual([
			at('new', 'folder', 'a.srt'),
		]);
		await writeOutput(at('new', 'folder', 'below', 'a.srt'), 'text', false);
		expect(readFileSync(at('new', 'folder', 'below', 'a.srt'), 'utf8')).toBe('text');
	});

	it('overwrite no existing file without --force', async () => {
		mkdirSync(at('out'));
		writeFileSync(at('out', 'a.srt'), 'precious');
		await expect(outputsOf(recordings('a.mp3'), options())).rejects.toThrow(
			`${at('out', 'a.srt')} exists already; to overwrite transcripts: --force`,
		);
		expect(await outputsOf(recordings('a.mp3'), options({ force: true }))).toEqual([at('out', 'a.srt')]);
		// Made by somebody else after the look.
		await expect(writeOutput(at('out', 'a.srt'), 'new', false)).rejects.toThrow('EEXIST');
		expect(readFileSync(at('out', 'a.srt'), 'utf8')).toBe('precious');
		await writeOutput(at('out', 'a.srt'), 'new', true);
		expect(readFileSync(at('out', 'a.srt'), 'utf8')).toBe('new');
	});

	it('never overwrite a recording', async () => {
		writeFileSync(at('talk.srt'), 'sound');
		const own = [{ name: 'talk.srt', path: at('talk.srt'), place: 'talk.srt' }];
		await expect(outputsOf(own, options({ outputDir: scratch.path, force: true }))).rejects.toThrow(
			'would be overwritten',
		);
	});

	it.each([
		[
			'two in one place',
			() => [...recordings('x/a.mp3'), ...recordings('x/a.mp3')],
			{},
			'two of the recordings',
		],
		[
			'a file for a folder',
			() => recordings('a.mp3'),
			{ outputDir: 'talks/b.wav' },
			'to be a folder, got the file',
		],
		[
			'a file to be',
			() => recordings('a.mp3'),
			{ outputDir: 'talk.srt' },
			'to write one transcript to a file: >',
		],
		[
			'a place without folders',
			() => recordings('a.mp3'),
			{ outputDir: '/proc/x' },
			'no folder can be created',
		],
	] as const)(
		'are refused for %s',
		async (_, given, { outputDir = 'out' }: { outputDir?: string }, message) => {
			const place = outputDir.startsWith('/') ? outputDir : at(outputDir);
			await expect(outputsOf(given(), options({ outputDir: place }))).rejects.toThrow(message);
		},
	);

	it('of several recordings have their names on standard output', () => {
		expect(named('one two\n', 'a.wav', 'text')).toBe('==> a.wav <==\none two\n\n');
		expect(named('{"text":"one two"}\n', 'a.wav', 'json')).toBe('{"file":"a.wav","text":"one two"}\n');
	});
});
