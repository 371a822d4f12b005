/**
 * Stores enrolled voices: each embedding in its own file, which only this user can read. No recording is stored, so
 * that removing the file removes all data of a voice. Several processes may use the folder concurrently.
 */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { makeFolder } from '../core/disk/disk.js';
import { removeUnfinished, replaceFile, unfinishedName } from '../core/disk/replace-file.js';
import { codeOf, EarshotError, expected } from '../core/errors.js';
import { speakerNameOf, speakerNameRule } from '../core/speech/speakers.js';

export interface EnrolledVoice {
	readonly name: string;
	/** The voice embedding, normalized to length 1. */
	readonly voice: readonly number[];
	/** Fingerprint of the embedding network. */
	readonly fingerprint: string;
	/** Speech that the embedding was computed from, seconds. */
	readonly seconds: number;
	/** Time of enrolment, Unix seconds. */
	readonly created: number;
}

const maxVoices = 10_000;
/** Maximum length of an embedding in a file; usual networks have a few hundred numbers. */
const maxNumbers = 4096;
/** The latest time that a `Date` can represent, Unix seconds. */
const latestSecond = 8.64e12;

export class VoiceStore {
	readonly #folder: string;

	/** `folder`: created when the first voice is added. */
	constructor(folder: string) {
		this.#folder = folder;
	}

	/** All voices, sorted by name. Skips files without a valid voice, or with another name than the voice's. */
	async list(): Promise<EnrolledVoice[]> {
		const voices = (await this.#files())
			.filter((file) => file.endsWith('.json'))
			.slice(0, maxVoices)
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

	/** Adds a voice, or replaces the one with that name. */
	async add(voice: EnrolledVoice): Promise<void> {
		const name = checkedVoiceName(voice.name);
		await makeFolder(this.#folder, 0o700);
		await removeUnfinished(this.#folder);
		await replaceFile(this.#fileOf(name), (draft) =>
			draft.writeFile(`${JSON.stringify({ ...voice, name })}\n`),
		);
	}

	/**
	 * Removes a voice with all its data, including copies of its file and files left by an interrupted write. Returns
	 * whether a voice with that name existed. If the voice is being added concurrently, it may exist afterwards.
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

	/** Uses a hash, since a name may contain any characters and exceed the length limit of file names. */
	#fileOf(name: string): string {
		return path.join(this.#folder, `${createHash('sha256').update(name).digest('hex')}.json`);
	}
}

/** undefined if the file is absent or not a valid voice. */
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
		voice.length <= maxNumbers &&
		voice.every((each) => isBetween(each, -1.01, 1.01)) &&
		isBetween(Math.hypot(...voice), 0.99, 1.01);
	return isVoice ? { name, voice, fingerprint, seconds, created } : undefined;
}

function isBetween(value: unknown, min: number, max: number): value is number {
	return typeof value === 'number' && value >= min && value <= max;
}

/** Validates and normalizes a name, as transcripts show it. Throws `invalid_request`. */
export function checkedVoiceName(name: string, param = 'name'): string {
	const checked = speakerNameOf(name);
	if (checked !== undefined && checked !== 'all') return checked;
	throw expected(param, `${speakerNameRule}, other than \`all\``, name);
}

/** The error for a name without an enrolled voice. */
export function noVoice(name: string, param: string): EarshotError {
	return new EarshotError('not_found', `No voice is enrolled as \`${name}\``, { param });
}
