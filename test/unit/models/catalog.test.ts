import { describe, expect, it } from 'vitest';
import { Catalog, isPinned, isServable } from '../../../src/models/catalog/catalog.js';
import { builtInModels, parseCatalog } from '../../../src/models/catalog/parse.js';
import { checkCatalog } from '../../../src/models/catalog/schema.js';
import { downloadBytes } from '../../../src/models/catalog/size.js';
import { familyOf, isSherpaType } from '../../../src/models/types/types.js';

const builtIn = builtInModels();

const catalog = new Catalog();

describe('the built-in catalog', () => {
	it('passes its schema check, with at least 60 models', () => {
		expect(checkCatalog(builtIn)).toEqual([]);
		expect(catalog.models.length).toBeGreaterThanOrEqual(60);
	});

	it('names every role of the families that are served', () => {
		const wrong = builtIn.flatMap(({ id, type, roles }) => {
			if (!isSherpaType(type) || roles === null) return [];
			const family = familyOf(type);
			const known = Object.keys(family.files);
			const needed = known.filter((role) => !(family.optionalFiles ?? []).includes(role));
			const fits =
				Object.keys(roles).every((role) => known.includes(role)) && needed.every((role) => role in roles);
			return fits ? [] : [id];
		});
		expect(wrong).toEqual([]);
	});

	it('gives options that the families take', () => {
		const wrong = builtIn.flatMap(({ id, type, options }) => {
			const known = isSherpaType(type) ? Object.keys(familyOf(type).options ?? {}) : [];
			return Object.keys(options).every((name) => known.includes(name)) || !isSherpaType(type) ? [] : [id];
		});
		expect(wrong).toEqual([]);
	});

	it('fetches from the hub at a fixed revision, or else what has a digest', () => {
		const loose = builtIn.flatMap(({ files }) =>
			files.filter(
				({ url, sha256 }) =>
					url?.startsWith('https://huggingface.co/') === true &&
					!/\/resolve\/[0-9a-f]{40}\//.test(url) &&
					sha256 === null,
			),
		);
		expect(loose).toEqual([]);
	});

	it('links to every licence', () => {
		expect(builtIn.filter(({ licence }) => !licence.url.startsWith('https://'))).toEqual([]);
	});

	it('has models for later, which are not served', () => {
		const later = builtIn.filter(({ use }) => use !== 'transcription' && use !== 'diarization');
		expect(new Set(later.map(({ use }) => use))).toEqual(
			new Set(['streaming', 'vad', 'segmentation', 'embedding']),
		);
		expect(later.filter(isServable)).toEqual([]);
	});

	it('serves streaming models of the types that are served, and no other', () => {
		const streaming = builtIn.filter(({ features }) => features.includes('streaming'));
		expect(streaming.filter((model) => !isServable(model)).map(({ id }) => id)).toEqual([
			'streaming-zipformer-zh-en-2023-02-20',
		]);
		for (const model of streaming.filter(isServable))
			expect(isSherpaType(model.type) && familyOf(model.type).chunk).toBeDefined();
	});

	it.each([
		['whisper-large-v3-turbo-q5_0', 574_041_195, true],
		['sensevoice-small', 239_549_735, true],
		['whisper-tiny-q5_1', null, false],
		['parakeet-tdt-0.6b-v2', 482_468_385, true],
	])('has the download size of %s', (id, bytes, pinned) => {
		const model = catalog.find(id);
		expect(model && downloadBytes(model)).toBe(bytes);
		expect(model && isPinned(model)).toBe(pinned);
	});
});

describe('a search', () => {
	it('finds models with every word', () => {
		const found = catalog.search(['parakeet', 'de']).map(({ id }) => id);
		expect(found).toContain('parakeet-tdt-0.6b-v3');
		expect(found).not.toContain('parakeet-tdt-0.6b-v2');
		expect(catalog.search(['german']).map(({ id }) => id)).toEqual(
			expect.arrayContaining(['parakeet-tdt-0.6b-v3', 'whisper-base', 'canary-180m-flash']),
		);
		expect(catalog.search(['cantonese', 'whisper']).map(({ id }) => id)).not.toContain('whisper-base');
		expect(catalog.search(['MIT', 'turbo', 'whisper.cpp'])).not.toEqual([]);
		expect(catalog.search(['nothing-like-it'])).toEqual([]);
	});
});

describe('a catalog of the user', () => {
	const tiny = {
		...builtIn[0],
		id: 'ours',
		title: 'Ours',
	};

	it('adds models and replaces some', () => {
		const more = parseCatalog(
			JSON.stringify({ models: [tiny, { ...builtIn[0], title: 'Other' }] }),
			'c.json',
		);
		const both = new Catalog(more);
		expect(both.find('ours')?.title).toBe('Ours');
		expect(both.find('whisper-tiny')?.title).toBe('Other');
		expect(both.models.length).toBe(catalog.models.length + 1);
	});

	it.each([
		['text that is not JSON', '{', 'c.json: '],
		['no models', '{}', 'Expected `models` to be a list'],
		['a path that leaves the folder', one({ files: [{ ...fileOf(), path: '../x' }] }), 'files[0].path'],
		['a digest that is none', one({ files: [{ ...fileOf(), sha256: 'abc' }] }), 'files[0].sha256'],
		['a URL of another kind', one({ files: [{ ...fileOf(), url: 'file:///x' }] }), 'files[0].url'],
		['an unknown key', one({ colour: 'red' }), 'Expected no `ours.colour`'],
		['an id that could be a path', one({ id: 'a/b' }), 'id'],
		['a file that nothing brings', one({ files: [{ ...fileOf(), url: null }] }), 'a URL or an archive'],
		['a role without a file', one({ roles: { model: 'other.bin' } }), 'roles'],
		['two of one id', JSON.stringify({ models: [tiny, tiny] }), 'unique'],
	])('is refused with %s', (_, text, message) => {
		expect(() => parseCatalog(text, 'c.json')).toThrow(message);
	});

	function fileOf() {
		return builtIn[0]?.files[0];
	}
	function one(changes: object): string {
		return JSON.stringify({ models: [{ ...builtIn[0], id: 'ours', ...changes }] });
	}
});

describe('a hostile catalog', () => {
	const [model] = builtIn;
	const withKey = (key: string, value: string) =>
		`models: [${JSON.stringify(model).slice(0, -1)}, ${key}: ${value}}]`;

	it.each([
		['options', '&a {x: *a}'],
		['sources', '&a [*a]'],
		['more', '&a [*a]'],
	])('whose %s hold themselves is refused', (key, value) => {
		const own = `models: [{id: a, ${key}: ${value}}]`;
		expect(() => parseCatalog(own, 'mine.yaml')).toThrow(/^mine\.yaml: Expected /);
	});

	it.each(['__proto__', 'constructor', 'toString'])('with a key `%s` is refused', (key) => {
		expect(() => parseCatalog(withKey(key, '1'), 'mine.yaml')).toThrow(`Expected no \`${model?.id}.${key}\``);
	});

	it('is refused in a few words, however long its own are', () => {
		const long = JSON.stringify({ models: [{ ...model, speed: 'x'.repeat(1e6) }] });
		expect(() => parseCatalog(long, 'mine.yaml')).toThrow(/^.{0,1000}$/s);
	});

	it('is read in linear time as JSON, and refused in YAML of more than a mebibyte', () => {
		const many = Array.from({ length: 8000 }, (_, index) => ({ ...model, id: `model-${index}` }));
		const json = JSON.stringify({ models: many });
		expect(json.length).toBeGreaterThan(9e6);
		expect(parseCatalog(json, 'mine.json').length).toBe(8000);
		expect(() => parseCatalog(`# YAML\n${json}`, 'mine.yaml')).toThrow(
			'Expected `catalog` to be JSON, or YAML of at most 1 MiB, got `mine.yaml`',
		);
	});

	it('is read in linear time however many files and roles a model has', () => {
		const files = Array.from({ length: 20_000 }, (_, index) => ({ ...model?.files[0], path: `${index}/a` }));
		const roles = Object.fromEntries(files.map((_, index) => [`role${index}`, `x${index}`]));
		const json = JSON.stringify({ models: [{ ...model, files, roles }] });
		expect(() => parseCatalog(json, 'mine.json')).toThrow('to name files, got `x0`');
	});

	it.each(['[', '{"models": ['])('of %s without end is refused', (deep) => {
		expect(() => parseCatalog(deep.repeat(50_000), 'mine.json')).toThrow(/^mine\.json: /);
	});

	it('says which id stands twice', () => {
		expect(checkCatalog([model, model])).toEqual([
			`Expected \`id\` to be unique, got \`${model?.id}\` twice`,
		]);
	});
});
