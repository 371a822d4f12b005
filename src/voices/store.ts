/**
 * Enrolled voices: what people's voices are like, each in a file of its own that only this user can read. No recording is
 * kept. Removing a voice removes its file, which is all there is of it. Several processes may use the folder at once.
 */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { codeOf, makeFolder } from '../disk/disk.js';
import { removeUnfinished, replaceFile, unfinishedName } from '../disk/replace-file.js';
import { EarshotError, expected } from '../errors.js';
import { speakerNameOf, speakerNameRule } from '../speech/speakers.js';

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

const mostVoices = 10_000;
/** Of a file: a voice has a few hundred numbers. */
const mostNumbers = 4096;
/** That a date can be of. */
const latestSecond = 8.64e12;

export class VoiceStore {
	readonly #folder: string;

	/** `folder`: made when the first voice is added. */
	constructor(folder: string) {
		this.#folder = folder;
	}

	/** By name. Files that are no voices, or not named as a voice's, are left out. */
	async list(): Promise<EnrolledVoice[]> {
		const voices = (await this.#files())
			.filter((file) => file.endsWith('.json'))
			.slice(0, mostVoices)
			.flatMap((file) => {
				const voice = readVoice(file);
				return voice && file === this.#fileOf(voice.name) ? [voice] : [];
			});
		return voices.sort((a, b) => (a.name < b.name ? -1 : 1));
	}

	async find(name: string): Promise<EnrolledVoice | undefined> {
		const file = this.#fileOf(checkedVoiceName(name));
		return readVoice(file);
	}

	/** Adds a voice, or replaces the one of that name. */
	async add(voice: EnrolledVoice): Promise<void> {
		const name = checkedVoiceName(voice.name);
		await makeFolder(this.#folder, 0o700);
		await removeUnfinished(this.#folder);
		await replaceFile(this.#fileOf(name), (draft) =>
			draft.writeFile(`${JSON.stringify({ ...voice, name })}\n`),
		);
	}

	/**
	 * Whether there was one of that name. Everything of it is removed: copies that a user made beside it, and what a process
	 * that ended while it wrote has left. One that is being added at the same time is there afterwards, or was removed.
	 */
	async remove(name: string): Promise<boolean> {
		const checked = checkedVoiceName(name);
		const file = this.#fileOf(checked);
		await removeUnfinished(this.#folder);
		let found = false;
		for (const each of await this.#files()) {
			if (!each.startsWith(file) && readVoice(each)?.name !== checked) continue;
			await rm(each, { force: true });
			found = true;
		}
		return found;
	}

	async #files(): Promise<string[]> {
		try {
			return (await readdir(this.#folder))
				.filter((name) => !unfinishedName.test(name))
				.map((name) => path.join(this.#folder, name));
		} catch (thrown) {
			if (codeOf(thrown) === 'ENOENT') return [];
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
		if (thrown instanceof SyntaxError || ['ENOENT', 'EISDIR'].includes(codeOf(thrown))) return undefined;
		throw thrown;
	}
	if (typeof value !== 'object' || value === null) return undefined;
	const { name, voice, fingerprint, seconds, created } = value as Record<string, unknown>;
	const isVoice =
		typeof name === 'string' &&
		speakerNameOf(name) === name &&
		typeof fingerprint === 'string' &&
		isBetween(seconds, 0, 1e9) &&
		isBetween(created, 0, latestSecond) &&
		Array.isArray(voice) &&
		voice.length <= mostNumbers &&
		voice.every((each) => isBetween(each, -1.01, 1.01)) &&
		isBetween(Math.hypot(...voice), 0.99, 1.01);
	return isVoice ? { name, voice, fingerprint, seconds, created } : undefined;
}

function isBetween(value: unknown, least: number, most: number): value is number {
	return typeof value === 'number' && value >= least && value <= most;
}

/** A name as transcripts show it. Throws `invalid_request`. */
export function checkedVoiceName(name: string, param = 'name'): string {
	const checked = speakerNameOf(name);
	if (checked !== undefined && checked !== 'all') return checked;
	throw expected(param, `${speakerNameRule}, other than \`all\``, name);
}

/** The error for a name under which nobody is enrolled. */
export function noVoice(name: string, param: string): EarshotError {
	return new EarshotError('not_found', `No voice is enrolled as \`${name}\``, { param });
}
