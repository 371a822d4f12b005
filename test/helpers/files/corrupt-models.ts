/** Model fixtures corrupted in every way that files get corrupted. */

import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { filesOf, type ModelFixture, manifest } from '../fixtures.js';

export interface Broken {
	readonly name: string;
	readonly trouble: Trouble;
	readonly model: ModelFixture;
	readonly type: string;
	readonly files: Readonly<Record<string, string>>;
	/** What the error message must name: the file's role, or a key. */
	readonly names: string;
}

export type Trouble =
	| 'missing key'
	| 'truncated'
	| 'wrong type'
	| 'wrong tokens'
	| 'swapped files'
	| 'zero bytes'
	| 'random bytes';

/** Metadata that sherpa-onnx 1.13.8 does not need, found by removing it. */
const dispensable = new Set([
	...['model_type', 'comment', 'version', 'joiner_dim', 'normalize_type', 'feat_dim', 'url', 'hidden_size'],
	...['prompt_dictionary', 'auto_prompt_id'],
	...['decoder_hidden_size', 'num_layers'],
]);
/** Metadata that only some models do not need. */
const dispensableIn: Readonly<Record<string, readonly string[]>> = {
	fire_red_asr_ctc: ['subsampling_factor'],
	medasr: ['subsampling_factor'],
	qwen3_asr: ['vocab_size', 'max_total_len'],
	'funasr_nano embedding': ['vocab_size'],
};
const indispensable: Readonly<Record<string, readonly string[]>> = {
	canary: ['model_type', 'feat_dim'],
	cohere_transcribe: ['model_type'],
	telespeech_ctc: ['model_type'],
	fire_red_asr_ctc: ['model_type'],
	medasr: ['model_type'],
	'funasr_nano llm': ['model_type'],
	nemo_transducer: ['url'],
};

export const sherpaFixtures = manifest.models.filter(
	({ engine, name }) => engine === 'sherpa' && name !== 'slow' && name !== 'paraformer_plain',
);

/** Copies of the fixture below `folder`, one for each kind of corruption and file. */
export function* brokenModels(folder: string): Generator<Broken> {
	for (const model of sherpaFixtures) yield* brokenCopies(model, folder);
}

function* brokenCopies(model: ModelFixture, folder: string): Generator<Broken> {
	const good = filesOf(model);
	const networks = Object.keys(good).filter((role) => good[role]?.endsWith('.onnx'));
	const spoil = (
		trouble: Trouble,
		role: string,
		names: string,
		content: (good: Buffer) => Buffer,
		detail = '',
	): Broken => {
		const name = [model.name, trouble, role, detail].filter((part) => part !== '').join(' ');
		const copy = path.join(folder, name.replaceAll(/[^\w]+/g, '-'));
		mkdirSync(copy, { recursive: true });
		const file = path.join(copy, path.basename(good[role] ?? ''));
		if (role === 'tokenizer') {
			cpSync(good[role] ?? '', file, { recursive: true });
			writeFileSync(path.join(file, 'vocab.json'), content(readFileSync(path.join(file, 'vocab.json'))));
		} else writeFileSync(file, content(readFileSync(good[role] ?? '')));
		return { name, trouble, model, type: model.type, files: { ...good, [role]: file }, names };
	};
	for (const role of Object.keys(good)) {
		yield spoil('zero bytes', role, role, () => Buffer.alloc(0));
		yield spoil('random bytes', role, role, ({ length }) => noise(Math.max(64, length)));
		yield spoil('truncated', role, role, (bytes) =>
			// A truncated list of symbols is still a valid list of fewer symbols.
			bytes.subarray(0, Math.floor(bytes.length / (role === 'tokens' ? 3 : 2))),
		);
	}
	for (const role of networks) {
		for (const key of metadataKeys(readFileSync(good[role] ?? ''))) {
			const mine = [model.name, `${model.name} ${role}`];
			const needed = mine.some((name) => indispensable[name]?.includes(key));
			if (!needed && (dispensable.has(key) || mine.some((name) => dispensableIn[name]?.includes(key))))
				continue;
			yield spoil('missing key', role, key, (bytes) => withoutMetadata(bytes, key), key);
		}
	}
	for (const [index, role] of networks.entries()) {
		const other = networks[(index + 1) % networks.length] ?? role;
		if (other === role || readFileSync(good[role] ?? '').equals(readFileSync(good[other] ?? ''))) continue;
		yield {
			name: `${model.name} swapped files ${role} and ${other}`,
			trouble: 'swapped files',
			model,
			type: model.type,
			files: { ...good, [role]: good[other] ?? '', [other]: good[role] ?? '' },
			names: '',
		};
	}
	if (good.tokens !== undefined) {
		const otherTokens = Buffer.from('a 0\nb 1\nc 2\n');
		yield spoil('wrong tokens', 'tokens', 'tokens', () => otherTokens, 'of another model');
		yield spoil(
			'wrong tokens',
			'tokens',
			'tokens',
			(bytes) => Buffer.from(bytes.toString('latin1').replaceAll(/ \d+$/gm, ''), 'latin1'),
			'without numbers',
		);
	}
	// The same files under the type of every other family with the same roles.
	for (const other of sherpaFixtures) {
		const roles = Object.keys(other.files).sort().join();
		if (other.type === model.type || roles !== Object.keys(good).sort().join()) continue;
		yield {
			name: `${model.name} wrong type ${other.type}`,
			trouble: 'wrong type',
			model,
			type: other.type,
			files: good,
			names: '',
		};
	}
}

/** The same on every run. */
function noise(length: number): Buffer {
	const bytes = Buffer.alloc(length);
	let state = 7;
	for (let index = 0; index < length; index++) {
		state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
		bytes[index] = state >>> 24;
	}
	return bytes;
}

// ---- ONNX, as far as metadata goes -------------------------------------------------------------

function varint(bytes: Buffer, from: number): [number, number] {
	let value = 0;
	for (let at = from, scale = 1; ; at++, scale *= 128) {
		const byte = bytes[at] ?? 0;
		value += (byte & 0x7f) * scale;
		if (byte < 0x80) return [value, at + 1];
	}
}

function* metadataOf(bytes: Buffer): Generator<{ key: string; from: number; to: number }> {
	for (let at = 0; at < bytes.length; ) {
		const from = at;
		const [tag, afterTag] = varint(bytes, at);
		const [value, after] = varint(bytes, afterTag);
		at = (tag & 7) === 2 ? after + value : after;
		if (tag >> 3 !== 14) continue;
		const [length, text] = varint(bytes, after + 1);
		yield { key: bytes.toString('utf8', text, text + length), from, to: at };
	}
}

function metadataKeys(bytes: Buffer): string[] {
	return [...metadataOf(bytes)].map(({ key }) => key);
}

function withoutMetadata(bytes: Buffer, wanted: string): Buffer {
	const found = [...metadataOf(bytes)].find(({ key }) => key === wanted);
	if (!found) throw new Error(`no metadata ${wanted}`);
	return Buffer.concat([bytes.subarray(0, found.from), bytes.subarray(found.to)]);
}
