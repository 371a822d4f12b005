import { describe, expect, it } from 'vitest';
import { freshRegistry, type NewEntry, withEntry, withoutEntry } from '../../../src/models/registry/edit.js';
import { parseRegistry } from '../../../src/models/registry/parse.js';

const entry: NewEntry = {
	id: 'tones',
	type: 'sense_voice',
	dir: 'tones',
	files: { model: 'model.onnx', tokens: 'tokens.txt' },
	options: { use_itn: true, language: '' },
	languages: ['en'],
	aliases: ['beeps'],
};

const idsIn = (text: string) => parseRegistry(text, 'models.yaml', '/models').entries.map(({ id }) => id);

const commented = `# mine
default_model: base   # the usual one
models:
  # the small one
  base:
    type: whisper_cpp
    files: {model: ggml-base.bin}   # from the other disk
    aliases: [old]
  other: {type: paraformer, files: {model: m.onnx, tokens: t.txt}}
# the end
aliases:
  whisper-large: base
  keep: other
`;

describe('a fresh models.yaml', () => {
	it('is read, serves nothing yet, and explains itself', () => {
		expect(parseRegistry(freshRegistry, 'f', '/m')).toMatchObject({ entries: [], warnings: [] });
		expect(freshRegistry).toContain('#');
	});

	it('takes an entry and keeps what it explains', () => {
		const text = withEntry(freshRegistry, entry);
		expect(idsIn(text)).toEqual(['tones']);
		for (const line of freshRegistry.split('\n').filter((each) => each.startsWith('#')))
			expect(text).toContain(line);
	});
});

describe('an entry', () => {
	it('is added in the shape of the others, and every comment stays', () => {
		const text = withEntry(commented, entry);
		expect(idsIn(text)).toEqual(['base', 'other', 'tones']);
		for (const comment of [
			'# mine',
			'# the usual one',
			'# the small one',
			'# from the other disk',
			'# the end',
		])
			expect(text).toContain(comment);
		expect(text).toContain(
			[
				'  tones:',
				'    type: sense_voice',
				'    dir: tones',
				'    files: {model: model.onnx, tokens: tokens.txt}',
				'    options: {use_itn: true, language: ""}',
				'    languages: [en]',
				'    aliases: [beeps]',
			].join('\n'),
		);
		expect(parseRegistry(text, 'f', '/models').entries.at(-1)).toMatchObject({
			files: { model: '/models/tones/model.onnx' },
			options: { use_itn: true, language: '' },
		});
	});

	it.each([
		['nothing', ''],
		['a comment', '# nothing yet\n'],
		['models without a model', 'models:\n'],
		['models without a model but with a comment', 'models:\n  # here they go\n'],
		['other settings', 'num_threads: 2\n'],
	])('is added to a file with %s', (_, text) => {
		const changed = withEntry(text, entry);
		expect(idsIn(changed)).toEqual(['tones']);
		for (const line of text.split('\n').map((each) => each.trim())) expect(changed).toContain(line);
	});

	it('takes the place of one with its id', () => {
		const text = withEntry(withEntry(commented, entry), { ...entry, dir: 'elsewhere' });
		expect(idsIn(text)).toEqual(['base', 'other', 'tones']);
		expect(text).toContain('dir: elsewhere');
	});

	it('is removed with all that means it, and nothing else', () => {
		const text = withoutEntry(commented, 'base');
		expect(idsIn(text)).toEqual(['other']);
		expect(text).not.toContain('default_model');
		expect(text).not.toContain('whisper-large');
		expect(text).toContain('keep: other');
		expect(text).toContain('# the end');
	});

	it('is removed when it is the last one', () => {
		const text = withoutEntry(withEntry(freshRegistry, entry), 'tones');
		expect(idsIn(text)).toEqual([]);
		expect(idsIn(withEntry(text, entry))).toEqual(['tones']);
	});

	it('takes a default that names it by its alias along', () => {
		expect(
			withoutEntry(commented.replace('default_model: base', 'default_model: old'), 'base'),
		).not.toContain('default_model');
	});
});
