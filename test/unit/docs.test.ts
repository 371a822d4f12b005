import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { modelOptionNames } from '../../src/core/config/scopes.js';
import { fileKeyOf, settingNames, settings, variableOf } from '../../src/core/config/settings.js';
import { formatNames } from '../../src/formats/formats.js';
import { parseRegistry } from '../../src/models/registry/parse.js';
import { modelTypes } from '../../src/models/types/types.js';
import { fieldNames } from '../../src/server/request/fields/fields.js';
import { readOpenApi } from '../../src/server/routes/openapi.js';
import {
	anchorsIn,
	type Block,
	inlineCode,
	linksIn,
	readPage,
	readPages,
	root,
	shellCommands,
} from '../helpers/checks/docs.js';
import {
	commandMistake,
	earshotFlags,
	earshotMistake,
	scriptFlags,
} from '../helpers/checks/docs-commands.js';
import { listed } from '../helpers/fakes.js';
import { type Arranged, arrange } from '../helpers/net/server.js';

const run = promisify(execFile);
const pages = readPages();
const blocks = pages.flatMap((page) => page.blocks);
const repository = 'https://github.com/earshot/earshot';
const textOf = (file: string): string => readFileSync(path.join(root, file), 'utf8');
const has = (program: string): boolean => spawnSync(program, ['--version']).status === 0;

describe('generated parts', () => {
	const docs = (...args: string[]) =>
		spawnSync(process.execPath, [path.join(root, 'scripts', 'docs.mjs'), ...args], { encoding: 'utf8' });

	it('are as the code has them', () => {
		const { status, stderr } = docs('--check');
		expect([status, stderr]).toEqual([0, '']);
		// The help of every command is a process of its own.
	}, 60_000);
});

it('the README has at most 150 lines', () => {
	expect(textOf('README.md').split('\n').length).toBeLessThanOrEqual(151);
});

describe('the reference has', () => {
	it.each(settingNames)('the setting %s, with its variable and default', (name) => {
		const { flag, valueName, help, default: value, ...more } = settings[name];
		const shown = 'defaultText' in more ? more.defaultText : String(value);
		const row = `| \`${`--${flag} ${valueName}`.trim()}\` | \`${variableOf(name)}\` | ${help} | ${shown} |`;
		expect(textOf('docs/reference/settings.md')).toContain(row);
	});

	it.each([...formatNames])('the format %s', (format) => {
		expect(readPage('docs/reference/http-api.md').prose).toMatch(
			new RegExp(`^\\| .*\`${format}\`.* \\|`, 'm'),
		);
	});

	it.each([...fieldNames])('the field %s', (field) => {
		expect(textOf('docs/reference/http-api.md')).toMatch(new RegExp(`^\\| \`${field}(\\[\\])?\` \\|`, 'm'));
	});

	it.each([...modelTypes])('the model type %s', (type) => {
		expect(textOf('docs/reference/model-types.md')).toContain(`| \`${type}\` |`);
	});

	it.each(modelOptionNames.map(fileKeyOf))('the option %s of Whisper models', (option) => {
		expect(textOf('docs/reference/model-types.md')).toContain(`\`${option}\``);
	});
});

describe('links', () => {
	/** What is wrong with a link of a page; '' = nothing. */
	function linkMistake(page: string, link: string): string {
		const own = new RegExp(`^${repository}/(?:blob|tree)/main/(.*)$`).exec(link)?.[1];
		if (own === undefined && /^https?:/.test(link)) return '';
		if (own === undefined && page === 'README.md') return `${link} would not lead anywhere from npm`;
		const [file = '', anchor] = (own ?? link).split('#');
		const target = own === undefined ? path.posix.join(path.posix.dirname(page), file) : file;
		const found = file === '' ? page : target;
		if (!existsSync(path.join(root, found))) return `${found} is not there`;
		return anchor === undefined || anchorsIn(readPage(found)).includes(anchor)
			? ''
			: `${found} has no #${anchor}`;
	}

	it.each(pages.map((page) => [page.path, page] as const))('of %s lead somewhere', (name, page) => {
		const mistakes = linksIn(page).map((link) => linkMistake(name, link));
		expect(mistakes.filter((mistake) => mistake !== '')).toEqual([]);
	});

	it.each([
		['docs/guides/gpu.md', 'nowhere.md', 'docs/guides/nowhere.md is not there'],
		['docs/guides/gpu.md', 'models.md#nothing', 'docs/guides/models.md has no #nothing'],
		['README.md', 'docs/guides/gpu.md', 'docs/guides/gpu.md would not lead anywhere from npm'],
		['README.md', `${repository}/blob/main/docs/nowhere.md`, 'docs/nowhere.md is not there'],
	])('in %s to %s are found to be wrong', (page, link, mistake) => {
		expect(linkMistake(page, link)).toBe(mistake);
	});

	it('lead to every page from another', () => {
		const linked = pages.flatMap((page) =>
			linksIn(page).map((link) => {
				const [file = ''] = link.replace(`${repository}/blob/main/`, '/').split('#');
				return file.startsWith('/') ? file.slice(1) : path.posix.join(path.posix.dirname(page.path), file);
			}),
		);
		expect(pages.filter((page) => page.path !== 'README.md' && !linked.includes(page.path))).toEqual([]);
	});

	it('and the package name the same repository', () => {
		const { homepage, bugs, repository: named } = JSON.parse(textOf('package.json'));
		expect([homepage, bugs.url, named.url]).toEqual([
			`${repository}#readme`,
			`${repository}/issues`,
			`git+${repository}.git`,
		]);
	});
});

describe('commands', () => {
	const commandsOf = ({ text }: Block) => shellCommands(text);

	it.each(pages.map((page) => [page.path, page] as const))('of %s exist', (_, page) => {
		const shown = page.blocks.filter(({ language }) => language === 'sh').flatMap(commandsOf);
		const inline = inlineCode(page)
			.filter((code) => /^(npm (run|start|test)|node scripts\/|earshot [a-z]+ )/.test(code))
			.filter((code) => !code.includes('COMMAND'))
			.flatMap(shellCommands);
		const mistakes = [...shown, ...inline].map(commandMistake);
		expect(mistakes.filter((mistake) => mistake !== '')).toEqual([]);
	});

	it.each([
		['earshot sing', 'there is no `earshot sing`'],
		['earshot transcribe a.wav --louder', '`earshot transcribe` has no --louder'],
		['earshot transcribe', '`earshot transcribe` does not take 0 arguments'],
		['earshot ps tiny', '`earshot ps` does not take 1 arguments'],
		['earshot transcribe a.wav --format pdf', '`earshot transcribe --format` does not take pdf'],
		['earshot serve --port', '`earshot serve --port` lacks a value'],
		['npm run earshot -- sing', 'there is no `earshot sing`'],
		['npm run nothing', 'there is no `npm run nothing`'],
		['npm run bench -- throughput --nothing', 'test/bench/bench.mjs does not know --nothing'],
		['node scripts/nothing.mjs', 'there is no scripts/nothing.mjs'],
		['node scripts/release/pack.mjs --nothing', 'scripts/release/pack.mjs does not know --nothing'],
		['rm -rf /', 'rm is not a known program'],
	])('such as %s are found to be wrong', (command, mistake) => {
		expect(shellCommands(command).map(commandMistake)).toEqual([mistake]);
	});

	it('are taken apart as a shell does', () => {
		expect(shellCommands('a \'b c\' \\\n  "d e" && f   # g\n# h\ni | j')).toEqual([
			['a', 'b c', 'd e'],
			['f'],
			['i'],
			['j'],
		]);
		expect(earshotMistake(['transcribe', 'a.wav', '--format', 'srt', '-o', 'out'])).toBe('');
	});

	/** Flags of other programs, which the docs name in prose. */
	const foreign =
		/^--(ignore-scripts|omit|threads|convert|vad|suppress-nst|task|external|packages|experimental-vm-modules|[a-z]+_.*|C.*)\b/;

	it.each(pages.map((page) => [page.path, page] as const))('of %s have flags that exist', (_, page) => {
		const flags = inlineCode(page)
			.filter((code) => !/^(npm|node|cmake) /.test(code))
			.flatMap((code) => code.match(/(?<![\w-])--[a-z][\w-]*/g) ?? [])
			.filter((flag) => !foreign.test(flag));
		expect(flags.filter((flag) => !earshotFlags.has(flag) && !scriptFlags.has(flag))).toEqual([]);
	});
});

describe('paths', () => {
	const shown = /^(src|test|scripts|native|fixtures|vendor|deploy|docs|\.github)\/[\w./-]*$/;

	it.each(pages.map((page) => [page.path, page] as const))('in %s exist', (_, page) => {
		const paths = inlineCode(page).filter((code) => shown.test(code));
		expect(paths.filter((file) => !existsSync(path.join(root, file)))).toEqual([]);
	});

	/** Relative to the page, as in the README of a folder, or to the checkout. */
	it.each([
		'SECURITY.md',
		'CHANGELOG.md',
		'fixtures/README.md',
		'fixtures/train/README.md',
		'vendor/README.md',
	])('in %s exist', (name) => {
		const found = inlineCode(readPage(name))
			.flatMap((code) => code.split(' '))
			.filter((word) => shown.test(word) || /^lib\/[\w./-]*$/.test(word));
		const isThere = (file: string) =>
			[path.dirname(name), '.'].some((folder) => existsSync(path.join(root, folder, file)));
		expect(found.filter((file) => !isThere(file))).toEqual([]);
	});

	it('of the architecture are all rooms', () => {
		const rooms = readdirSync(path.join(root, 'src'), { withFileTypes: true }).filter((entry) =>
			entry.isDirectory(),
		);
		const page = textOf('docs/internals/architecture.md');
		expect(rooms.filter(({ name }) => !page.includes(`| \`src/${name}\` |`)).map(({ name }) => name)).toEqual(
			[],
		);
	});
});

it.each(blocks.filter(({ language }) => language === 'yaml').map(({ page, text }) => [page, text]))(
	'the models.yaml in %s is one',
	(page, text) => {
		expect(parseRegistry(text, page, '/models')).toMatchObject({ warnings: [] });
	},
);

describe('clients', () => {
	const address = 'http://127.0.0.1:8080';
	const socket = '/run/user/1000/earshot.sock';

	/** A server, and a folder with a recording for the client. */
	async function arrangeClient(
		throughSocket = false,
	): Promise<{ server: Arranged; fill: (text: string) => string }> {
		const folder = mkdtempSync(path.join(tmpdir(), 'earshot-docs-'));
		onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
		const ownSocket = path.join(folder, 's');
		const server = await arrange(throughSocket ? { host: `unix:${ownSocket}` } : {});
		server.pool.models.push(
			...['whisper-tiny.en', 'demo-digits', 'gpt-4o-transcribe'].map((id) => listed(id)),
		);
		const recording = path.join(folder, 'talk.m4a');
		writeFileSync(recording, 'RIFF');
		const fill = (text: string) =>
			text
				.replaceAll(address, server.url)
				.replaceAll(/talk\.(m4a|pcm)/g, recording)
				.replaceAll(socket, ownSocket);
		server.model.onListen = (stream) => {
			stream.onCommand = (command) => {
				if (command.type !== 'commit') return;
				const text = 'On the beach.';
				stream.emit({ type: 'committed', turn: 0, seconds: 1, commit: command.commit });
				stream.emit({ type: 'delta', turn: 0, text });
				stream.emit({
					type: 'completed',
					turn: 0,
					text,
					language: 'en',
					seconds: 1,
					revised: false,
				});
			};
		};
		return { server, fill };
	}

	const curls = blocks
		.filter(({ language }) => language === 'sh')
		.flatMap(({ page, text }) => shellCommands(text).map((words) => [page, words] as const))
		.filter(([, [program]]) => program === 'curl');

	it.each(curls)('with curl in %s have a route: %j', (_, words) => {
		const url = words.find((word) => word.startsWith('http:')) ?? '';
		const method = words.includes('-X')
			? words[words.indexOf('-X') + 1]
			: words.some((word) => word === '-F' || word === '--data-binary')
				? 'POST'
				: 'GET';
		const route = new URL(url).pathname.replace(/^\/v1\/models\/[^/]+/, '/v1/models/{model}');
		expect(readOpenApi().paths).toHaveProperty([route, method?.toLowerCase() ?? '']);
	});

	it
		.runIf(has('curl'))
		.each(curls.filter(([, words]) => !words.some((word) => /\/models\/.|\/catalog/.test(word))))(
		'with curl in %s get an answer: %j',
		async (_, [, ...words]) => {
			const { fill } = await arrangeClient(words.includes(socket));
			const { stdout } = await run('curl', ['-sS', '--fail', ...words.map(fill)], { cwd: root });
			expect(stdout).toMatch(/beach|"object":"(list|transcription.job)"|"value":"ek_/);
		},
	);

	const scripts = blocks.filter(({ language, text }) => language === 'js' && text.includes("from 'openai'"));

	it.each(scripts.map(({ page, text }) => [page, text]))(
		'with JavaScript in %s get an answer',
		async (_, text) => {
			const { server, fill } = await arrangeClient();
			const { stdout } = await run(process.execPath, ['--input-type=module', '-e', fill(text)], {
				cwd: root,
			});
			expect(stdout).toContain('beach');
			expect(server.model.calls.length + server.model.streams.length).toBeGreaterThan(0);
		},
	);

	const python = blocks.filter(({ language }) => language === 'python');

	it.runIf(has('python3')).each(python.map(({ page, text }) => [page, text]))(
		'with Python in %s are Python',
		(_, text) => {
			const { status, stderr } = spawnSync(
				'python3',
				['-c', 'import ast, sys; ast.parse(sys.stdin.read())'],
				{
					input: text,
					encoding: 'utf8',
				},
			);
			expect([status, stderr]).toEqual([0, '']);
		},
	);
});
