/** Resolves the arguments of `earshot transcribe` to recordings: files, folders, patterns, standard input. */

import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { earshot } from '../../core/command-line.js';
import { EarshotError, expected } from '../../core/errors.js';

export interface RecordingFile {
	/** The name in messages and headings. */
	readonly name: string;
	/** '' = standard input. */
	readonly path: string;
	/** Path of its transcript below the output folder, still with the recording's own file extension. */
	readonly place: string;
}

/** File extensions of recordings in folders; a file named in an argument may have any. */
const endings = new Set(
	(
		'3gp aac ac3 aif aifc aiff amr ape au avi caf flac flv m4a m4b m4v mka mkv mov mp2 mp3 mp4 mpeg mpg mpga mts oga ' +
		'ogg ogv opus ra rm spx ts tta w64 wav weba webm wma wmv wv'
	)
		.split(' ')
		.map((ending) => `.${ending}`),
);

/** Standard input, as shells and programs name it. */
const inputNames = new Set(['-', '/dev/stdin', '/dev/fd/0', '/proc/self/fd/0']);

/** In the order of the arguments, files of a folder by name. A missing file is kept, and reported when it is
 * transcribed. Throws `invalid_request`. */
export async function findRecordings(
	given: readonly string[],
	recursive: boolean,
): Promise<readonly RecordingFile[]> {
	const found: RecordingFile[] = [];
	for (const name of given) found.push(...(await recordingsOf(name, recursive)));
	if (found.filter((each) => each.path === '').length > 1)
		throw new EarshotError('invalid_request', 'Standard input can be given only once');
	return found;
}

async function recordingsOf(name: string, recursive: boolean): Promise<readonly RecordingFile[]> {
	if (inputNames.has(name)) return [{ name: 'standard input', path: '', place: 'stdin' }];
	if (name === '') throw expected('file', 'the name of a recording', name);
	const info = await stat(name).catch(() => undefined);
	if (info === undefined && /^https?:\/\//i.test(name))
		throw new EarshotError(
			'invalid_request',
			`${name} is not on this machine. To transcribe it: curl -L '${name}' | ${earshot('transcribe -')}`,
		);
	if (info?.isDirectory() === true) return await recordingsIn(name, recursive);
	if (info?.isBlockDevice() === true || info?.isCharacterDevice() === true)
		throw new EarshotError('invalid_request', `${name} is a device, not a recording`);
	// cmd.exe and PowerShell do not expand patterns, and other shells keep patterns that match nothing.
	if (info === undefined && /[*?]/.test(name)) return await matchesOf(name, recursive);
	return [fileAt(name)];
}

function fileAt(name: string, place: string = path.basename(name)): RecordingFile {
	return { name, path: path.resolve(name), place };
}

async function recordingsIn(folder: string, recursive: boolean): Promise<readonly RecordingFile[]> {
	if (!recursive)
		throw new EarshotError(
			'invalid_request',
			`${folder} is a folder. To transcribe the recordings in it: ${earshot(`transcribe --recursive ${folder}`)}`,
		);
	const files = await filesIn(folder);
	if (files.length > 0) return files.map((file) => fileAt(path.join(folder, file), file));
	throw new EarshotError('invalid_request', `${folder} holds no recordings`);
}

/** Relative paths of the recordings below the folder, by name. Skips hidden files, and links to folders, which could
 * form a loop. */
async function filesIn(folder: string, below = ''): Promise<string[]> {
	const entries = await readdir(path.join(folder, below), { withFileTypes: true });
	entries.sort((a, b) => (a.name < b.name ? -1 : 1));
	const found: string[] = [];
	for (const entry of entries) {
		const place = path.join(below, entry.name);
		if (entry.name.startsWith('.')) continue;
		if (entry.isDirectory()) found.push(...(await filesIn(folder, place)));
		else if (endings.has(path.extname(entry.name).toLowerCase()) && (await isFile(path.join(folder, place))))
			found.push(place);
	}
	return found;
}

async function isFile(file: string): Promise<boolean> {
	return (await stat(file).catch(() => undefined))?.isFile() === true;
}

/** The files that match the pattern, and with `recursive` the recordings in the folders that do. Throws
 * `invalid_request` for none. */
async function matchesOf(pattern: string, recursive: boolean): Promise<readonly RecordingFile[]> {
	const { root } = path.parse(pattern);
	const parts = pattern
		.slice(root.length)
		.split(path.sep === '\\' ? /[/\\]+/ : /\/+/)
		.filter((part) => part !== '');
	const matches = await matching(root, parts);
	const found: RecordingFile[] = [];
	for (const match of matches) {
		if (await isFile(match)) found.push(fileAt(match));
		else if (recursive) found.push(...(await recordingsIn(match, recursive)));
	}
	if (found.length > 0) return found;
	throw new EarshotError('invalid_request', `No file matches ${pattern}`);
}

async function matching(folder: string, [part = '', ...rest]: readonly string[]): Promise<string[]> {
	const isLast = rest.length === 0;
	if (!/[*?]/.test(part)) {
		const at = path.join(folder, part);
		const exists = (await stat(at).catch(() => undefined)) !== undefined;
		return !exists ? [] : isLast ? [at] : await matching(at, rest);
	}
	const names = await readdir(folder === '' ? '.' : folder).catch(() => []);
	const pattern = patternOf(part);
	const found: string[] = [];
	for (const name of names.filter((each) => pattern.test(each)).sort()) {
		const at = path.join(folder, name);
		found.push(...(isLast ? [at] : await matching(at, rest)));
	}
	return found;
}

/** `*` and `?` with the meaning that shells give them: they never match a hidden file. */
function patternOf(part: string): RegExp {
	const source = part
		.replace(/\*+/g, '*')
		.replace(/[.+^${}()|[\]\\]/g, '\\$&')
		.replaceAll('*', '.*')
		.replaceAll('?', '.');
	return new RegExp(
		`^${part.startsWith('.') ? '' : '(?!\\.)'}${source}$`,
		process.platform === 'win32' ? 'i' : '',
	);
}
