/**
 * Enrolled voices: what people's voices are like, each in a file of its own that only this user can read. No recording is
 * kept. Removing a voice removes its file, which is all there is of it.
 */

import { createHash, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { codeOf, makeFolder } from '../disk/disk.js';
import { EarshotError, expected } from '../errors.js';

export interface EnrolledVoice {
	readonly name: string;
	/** What the voice is like, of length 1. */
	readonly voice: readonly number[];
	/** Of the network that it is of. */
	readonly fingerprint: string;
	/** Seconds of speech that it was made from. */
	readonly seconds: number;
	/** When it was enrolled, Unix seconds. */
	readonly created: number;
}

const mostNameLength = 100;
const mostVoices = 10_000;
/** Of a file: a voice has a few hundred numbers. */
const mostNumbers = 4096;

export class VoiceStore {
	readonly #folder: string;

	/** `folder`: made when the first voice is added. */
	constructor(folder: string) {
		this.#folder = folder;
	}

	/** By name. Files that are no voices are left out. */
	async list(): Promise<EnrolledVoice[]> {
		const names = await readdir(this.#folder).catch((thrown: unknown): string[] => {
			if (codeOf(thrown) === 'ENOENT') return [];
			throw thrown;
		});
		const voices = names
			.filter((name) => name.endsWith('.json'))
			.slice(0, mostVoices)
			.flatMap((name) => readVoice(path.join(this.#folder, name)) ?? []);
		return voices.sort((a, b) => (a.name < b.name ? -1 : 1));
	}

	async find(name: string): Promise<EnrolledVoice | undefined> {
		const file = this.#fileOf(checkedVoiceName(name));
		return readVoice(file);
	}

	/** Adds a voice, or replaces the one of that name. */
	async add(voice: EnrolledVoice): Promise<void> {
		const file = this.#fileOf(checkedVoiceName(voice.name));
		await makeFolder(this.#folder, 0o700);
		const draft = `${file}.${randomUUID()}.part`;
		try {
			await writeFile(draft, `${JSON.stringify(voice)}\n`, { mode: 0o600, flag: 'wx' });
			await rename(draft, file);
		} catch (thrown) {
			await rm(draft, { force: true });
			throw thrown;
		}
	}

	/** Whether there was one of that name. */
	async remove(name: string): Promise<boolean> {
		try {
			await rm(this.#fileOf(checkedVoiceName(name)));
			return true;
		} catch (thrown) {
			if (codeOf(thrown) === 'ENOENT') return false;
			throw thrown;
		}
	}

	/** A name may have any characters, and be longer than those of files. */
	#fileOf(name: string): string {
		return path.join(this.#folder, `${createHash('sha256').update(name).digest('hex')}.json`);
	}
}

/** undefined for a file that is absent or not a voice. */
function readVoice(file: string): EnrolledVoice | undefined {
	let value: unknown;
	try {
		value = JSON.parse(readFileSync(file, 'utf8'));
	} catch (thrown) {
		if (thrown instanceof SyntaxError || codeOf(thrown) === 'ENOENT') return undefined;
		throw thrown;
	}
	if (typeof value !== 'object' || value === null) return undefined;
	const { name, voice, fingerprint, seconds, created } = value as Record<string, unknown>;
	const isVoice =
		typeof name === 'string' &&
		typeof fingerprint === 'string' &&
		typeof seconds === 'number' &&
		typeof created === 'number' &&
		Array.isArray(voice) &&
		voice.length <= mostNumbers &&
		voice.every((each) => typeof each === 'number' && Number.isFinite(each));
	return isVoice ? { name, voice: voice as number[], fingerprint, seconds, created } : undefined;
}

/** A name as transcripts show it. Throws `invalid_request`. */
export function checkedVoiceName(name: string, param = 'name'): string {
	const trimmed = name.trim().normalize('NFC');
	if (trimmed !== '' && trimmed.length <= mostNameLength && !/\p{C}/u.test(trimmed) && trimmed !== 'all')
		return trimmed;
	throw expected(
		param,
		`a text of 1 to ${mostNameLength} characters without control characters, other than \`all\``,
		name,
	);
}

/** The error for a name under which nobody is enrolled. */
export function noVoice(name: string, param: string): EarshotError {
	return new EarshotError('not_found', `No voice is enrolled as \`${name}\``, { param });
}
