import { describe, expect, it } from 'vitest';
import { EarshotError } from '../../../src/core/errors.js';
import { parseRegistry } from '../../../src/models/registry/parse.js';

const parse = (text: string) => parseRegistry(text, 'models.yaml', '/models');

function refusal(text: string): EarshotError {
	try {
		parse(text);
	} catch (thrown) {
		if (thrown instanceof EarshotError) return thrown;
		throw thrown;
	}
	throw new Error('it was accepted');
}

/** The only problem of the text, as `id: message`. */
function problemOf(text: string): string {
	const { entries, problems } = parse(text);
	expect(entries).toEqual([]);
	expect(problems.length).toBe(1);
	return `${problems[0]?.id}: ${problems[0]?.message}`;
}

const good = `
default_model: sensevoice-small
num_threads: 4
models:
  sensevoice-small:
    type: sense_voice
    dir: sherpa-onnx-sense-voice
    files: {model: model.int8.onnx, tokens: tokens.txt}
    options: {use_itn: true, language: ""}
    download: {url: "https://example.org/a.tar.bz2", archive_subdir: a}
  base:
    type: whisper_cpp
    files: {model: /elsewhere/ggml-base.bin}
    aliases: [whisper]
    languages: [en, de]
`;

describe('models.yaml', () => {
	it('names the models, with paths below the model folder unless they are absolute', () => {
		const { entries } = parse(good);
		expect(entries).toMatchObject([
			{
				id: 'sensevoice-small',
				type: 'sense_voice',
				files: {
					model: '/models/sherpa-onnx-sense-voice/model.int8.onnx',
					tokens: '/models/sherpa-onnx-sense-voice/tokens.txt',
				},
				options: { use_itn: true, language: '' },
			},
			{
				id: 'base',
				type: 'whisper_cpp',
				files: { model: '/elsewhere/ggml-base.bin' },
				aliases: ['whisper'],
				languages: ['en', 'de'],
			},
		]);
	});

	it('says how long a model stays in memory', () => {
		const of = (value: string) =>
			parse(`models:\n  a: {type: whisper_cpp, files: {model: a.bin}, keep_alive: ${value}}`).entries[0]
				?.keepAliveMs;
		expect(['10m', '-1', '0', 'never'].map(of)).toEqual([600_000, Infinity, 0, Infinity]);
		expect(problemOf('models:\n  a: {type: whisper_cpp, files: {model: a.bin}, keep_alive: soon}')).toBe(
			'a: models.yaml:2: Expected `models.a.keep_alive` to be seconds, or a number with s, m or h such as `10m`; 0 = at once, -1 = never, got `soon`',
		);
	});

	it('holds settings beside its models', () => {
		expect(parse(good).source.values).toEqual({ defaultModel: 'sensevoice-small', numThreads: '4' });
	});

	it('says where a model can be fetched from', () => {
		expect(parse(good).entries[0]?.download).toEqual({
			url: 'https://example.org/a.tar.bz2',
			archiveSubdir: 'a',
			sha256: null,
			dir: '/models/sherpa-onnx-sense-voice',
		});
		expect(parse(good).entries[1]?.download).toBeUndefined();
	});

	it('maps further names', () => {
		const { aliases } = parse(`${good}aliases:\n  dictation: base\n`);
		expect(aliases).toMatchObject([{ name: 'dictation', model: 'base' }]);
	});

	it('may be empty', () => {
		expect(parse('# nothing yet\n').entries).toEqual([]);
		expect(parse('models:\n').entries).toEqual([]);
	});

	it('warns of keys that mean nothing here rather than refusing a file of another server', () => {
		expect(parse('max_batch: 3\n').warnings).toEqual([
			'models.yaml:1: `max_batch` is not a setting of Earshot',
		]);
	});

	it('warns of such a key of a model, which may be misspelt', () => {
		const model = 'models:\n  a:\n    type: whisper_cpp\n    files: {model: m.bin}\n    keepalive: 5m\n';
		const { warnings, entries } = parse(model);
		expect(warnings).toEqual(['models.yaml:5: `models.a.keepalive` is not a setting of a model']);
		expect(entries).toHaveLength(1);
		expect(parse(model.replace('files:', 'path: m.bin\n    filez:')).warnings).toHaveLength(3);
	});

	it.each([
		['a text that is not YAML', 'models: [', 1, ''],
		['a key given twice', 'num_threads: 1\nnum_threads: 2\n', 2, ''],
		['a list where models belong', 'models: [a]\n', 1, '`models`'],
		['aliases that are no map', 'aliases: [a]\n', 1, '`aliases`'],
	])('refuses %s, naming line and field', (_, text, line, field) => {
		const error = refusal(text);
		expect(error.code).toBe('config_invalid');
		expect(error.message).toMatch(new RegExp(`^models\\.yaml:${line}: `));
		expect(error.message).toContain(field);
	});

	it.each([
		['an unknown type', 'models:\n  a:\n    type: wisper\n', 3, '`models.a.type`'],
		['no type', 'models:\n  a:\n    files: {model: x}\n', 1, '`models.a.type`'],
		[
			'a missing file role',
			'models:\n  a:\n    type: sense_voice\n    files: {model: m.onnx}\n',
			4,
			'`models.a.files.tokens`',
		],
		[
			'a role that the type does not have',
			'models:\n  a:\n    type: sense_voice\n    files:\n      encoder: m.onnx\n',
			5,
			'`models.a.files`',
		],
		[
			'an option that the type does not have',
			'models:\n  a:\n    type: paraformer\n    files: {model: m, tokens: t}\n    options:\n      use_itn: true\n',
			6,
			'`models.a.options`',
		],
		[
			'an option of the wrong kind',
			'models:\n  a:\n    type: sense_voice\n    files: {model: m, tokens: t}\n    options: {use_itn: maybe}\n',
			5,
			'`models.a.options.use_itn`',
		],
		[
			'a download from a place that is no URL',
			'models:\n  a:\n    type: sense_voice\n    files: {model: m, tokens: t}\n    download:\n      url: here\n',
			6,
			'`models.a.download.url`',
		],
		[
			'a folder in an archive that leaves it',
			'models:\n  a:\n    type: sense_voice\n    files: {model: m, tokens: t}\n    download: {url: "https://x.test/a.tgz", archive_subdir: ../b}\n',
			5,
			'`models.a.download.archive_subdir`',
		],
		['an id that could be a path', 'models:\n  ../a:\n    type: sense_voice\n', 2, '`models.../a`'],
		['no value', 'models:\n  a:\n', 2, '`models.a`'],
		[
			'a key twice',
			'models:\n  a:\n    type: whisper_cpp\n    files: {model: x}\n    type: paraformer\n',
			5,
			'`models.a.type`',
		],
		[
			'an alias of YAML that names nothing',
			'models:\n  a: {type: whisper_cpp, files: {model: x}, languages: [*b]}\n',
			2,
			'`models.a.languages`',
		],
	])('reports an entry with %s, naming line and field', (_, text, line, field) => {
		const problem = problemOf(text);
		expect(problem).toMatch(new RegExp(`^(\\.\\./)?a: models\\.yaml:${line}: Expected `));
		expect(problem).toContain(field);
	});

	it.each([
		'files: {model: "a\\0b"}',
		'dir: "a\\0b", files: {model: a}',
		'aliases: ["a\\0b"], files: {model: a}',
	])('refuses a NUL in an entry, of which the other entries know nothing: %s', (fields) => {
		const text = `models: {bad: {type: whisper_cpp, ${fields}}, base: {type: whisper_cpp, files: {model: a}}}`;
		const { entries, problems } = parse(text);
		expect(entries.map(({ id }) => id)).toEqual(['base']);
		expect(problems).toMatchObject([
			{ id: 'bad', message: expect.stringMatching(/to be a (list of )?text/) },
		]);
	});

	it('refuses a second document in words of its own', () => {
		expect(refusal('models: {}\n---\nmodels: {}').message).toBe(
			'models.yaml:2: Expected one YAML document, got `---` and another',
		);
	});

	it('serves the other entries of a file with one bad entry', () => {
		const { entries, problems, aliases } = parse(
			`${good}  bad: {type: wisper}\n  base: {type: whisper_cpp, files: {model: other.bin}}\naliases: {x: [1], y: base}\n`,
		);
		expect(entries.map(({ id }) => id)).toEqual(['sensevoice-small', 'base']);
		expect(entries[1]?.files).toEqual({ model: '/elsewhere/ggml-base.bin' });
		expect(aliases.map(({ name }) => name)).toEqual(['y']);
		expect(problems.map(({ id, sentence }) => `${id} ${sentence}`)).toEqual([
			expect.stringMatching(
				/^bad line 16 of models.yaml: Expected `models.bad.type` to be one of whisper_cpp, /,
			),
			'base line 17 of models.yaml: Expected `models.base` to be given once, got `base`',
			'x line 18 of models.yaml: Expected `aliases.x` to be a text, got something else',
		]);
	});

	it('takes the keys of asr2clip', () => {
		const { entries, problems } = parse(
			'models:\n  p:\n    type: paraformer\n    dir: d\n    files: {paraformer: model.int8.onnx, tokens: tokens.txt}\n    options: {}\n    download:\n',
		);
		expect(problems).toEqual([]);
		expect(entries[0]?.files).toEqual({ model: '/models/d/model.int8.onnx', tokens: '/models/d/tokens.txt' });
		expect(
			problemOf('models:\n  p: {type: paraformer, files: {paraformer: a, model: b, tokens: t}}\n'),
		).toContain('Expected `models.p.files.model` to be absent beside `paraformer`');
	});
});

it.each(['constructor', 'toString', '__proto__'])(
	'an option named %s is refused as any unknown one',
	(key) => {
		const text = `models: {a: {type: whisper_cpp, files: {model: a.bin}, options: {${key}: 1}}}`;
		expect(problemOf(text)).toMatch(/Expected `models\.a\.options` to be a map with the keys encoder,/);
	},
);
