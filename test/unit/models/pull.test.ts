import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { realDisk } from '../../../src/core/disk/disk.js';
import { Int8Store } from '../../../src/engines/whisper/int8-store.js';
import { writeInt8 } from '../../../src/engines/whisper/int8-weights.js';
import type { Installer, PullOptions } from '../../../src/models/installer.js';
import type { PullStatus } from '../../../src/models/pull/tracker.js';
import { findInstalled, isInstalled } from '../../../src/models/registry/registry.js';
import { writeSharpWhisper } from '../../helpers/files/sensitive-whisper.js';
import { hasBzip2, type TarEntry, tarbz2, targz } from '../../helpers/files/tarball.js';
import { generated } from '../../helpers/fixtures.js';
import { type Fault, noise, sha256 } from '../../helpers/net/mirror.js';
import {
	arrangeMachine,
	catalogModel,
	fileOn,
	type Machine,
	modelBytes,
	quick,
	tokenBytes,
	usualModels,
} from '../../helpers/temp-install.js';

const never = new AbortController().signal;

const pull = (installer: Installer, id: string, options?: PullOptions): Promise<PullStatus> =>
	installer.pull(id, options).finished;

async function fails(machine: Machine, id: string, options?: PullOptions) {
	const { state, error } = await pull(machine.installer, id, options);
	expect(state).toBe('failed');
	return error!;
}

/** Nothing of it is listed, loaded or in the way. */
function isNowhere(machine: Machine, id: string): void {
	expect(machine.installer.store.manifests().map((manifest) => manifest.id)).not.toContain(id);
	expect(machine.registry().entries.some((entry) => entry.id === id && isInstalled(entry))).toBe(false);
	expect(existsSync(path.join(machine.modelDir, id))).toBe(false);
}

async function isWhole(machine: Machine, id: string): Promise<void> {
	const manifest = machine.installer.store.manifest(id)!;
	const verified = await machine.installer.store.verify(manifest, never);
	expect(verified.map(({ detail }) => detail)).toEqual(manifest.files.map(() => ''));
	expect(findInstalled(machine.registry(), id).id).toBe(id);
	// Nothing is left of the way it came.
	expect(readdirSync(path.join(machine.modelDir, '.earshot', 'incoming'))).toEqual([]);
}

describe('a pull', () => {
	it('brings a model, and models.yaml serves it with its comments kept', async () => {
		const machine = await arrangeMachine();
		const { state, manifest, received, total } = await pull(machine.installer, 'small');
		expect([state, received, total]).toEqual(['done', 120_008, 120_008]);
		expect(manifest?.files).toEqual([
			{ path: 'model.onnx', bytes: 120_000, sha256: sha256(modelBytes), pinned: false },
			{ path: 'tokens.txt', bytes: 8, sha256: sha256(tokenBytes), pinned: false },
		]);
		await isWhole(machine, 'small');
		expect(readFileSync(machine.config, 'utf8')).toContain('# mine');
		expect(machine.registry()).toMatchObject({ defaultModel: 'small' });
		expect(machine.registry().entries[0]).toMatchObject({ aliases: expect.arrayContaining(['whisper-1']) });
	});

	it('reports progress, `done` last', async () => {
		const machine = await arrangeMachine();
		const statuses: PullStatus[] = [];
		for await (const status of machine.installer.pull('small').statuses(never)) statuses.push(status);
		expect(statuses[0]?.state).toBe('starting');
		expect(statuses.map(({ state }) => state)).toContain('downloading');
		expect(statuses.at(-1)?.state).toBe('done');
	});

	it('of a model that is here makes no request', async () => {
		const machine = await arrangeMachine();
		await pull(machine.installer, 'small');
		const asked = machine.mirror.asked.length;
		expect((await pull(machine.installer, 'small')).state).toBe('done');
		expect(machine.mirror.asked.length).toBe(asked);
	});

	it('mends a damaged model by what is damaged alone', async () => {
		const machine = await arrangeMachine();
		await pull(machine.installer, 'small');
		writeFileSync(path.join(machine.modelDir, 'small', 'tokens.txt'), 'damaged');
		expect(machine.installer.store.stateOf(machine.installer.store.manifest('small')!)).toBe('damaged');
		machine.mirror.asked.length = 0;
		expect((await pull(machine.installer, 'small')).state).toBe('done');
		await isWhole(machine, 'small');
		expect(machine.mirror.asked.map((asked) => asked.path)).toEqual(['/small/tokens.txt']);
	});

	it('gives the requested names', async () => {
		const machine = await arrangeMachine();
		await pull(machine.installer, 'small', { aliases: ['dictation'] });
		expect(findInstalled(machine.registry(), 'dictation').id).toBe('small');
	});

	it('is shared by concurrent requests', async () => {
		const machine = await arrangeMachine();
		const jobs = [1, 2, 3].map(() => machine.installer.pull('small'));
		expect(new Set(jobs).size).toBe(1);
		await jobs[0]?.finished;
		expect(machine.mirror.starts('/small/model.onnx').length).toBe(1);
	});

	it('waits for another process that fetches the same model, and fetches nothing then', async () => {
		const machine = await arrangeMachine();
		let letGo = (): void => {};
		machine.mirror.before = () => new Promise<void>((resolve) => (letGo = resolve));
		const first = machine.installer.pull('small');
		await vi.waitUntil(() => machine.mirror.asked.length === 1);
		const second = machine.another().pull('small');
		await vi.waitUntil(() => second.status.state === 'waiting');
		machine.mirror.before = () => {};
		letGo();
		expect([(await first.finished).state, (await second.finished).state]).toEqual(['done', 'done']);
		expect(machine.mirror.asked.length).toBe(2);
	});

	it('can be cancelled, leaves no model, and goes on the next time', async () => {
		const machine = await arrangeMachine();
		machine.mirror.spoil('/small/model.onnx', { stallAfter: 60_000 });
		const job = machine.another({ tuning: { ...quick.tuning, windowMs: 10_000 } }).pull('small');
		await vi.waitUntil(() => job.status.received >= 50_000);
		expect((await job.cancel()).state).toBe('cancelled');
		isNowhere(machine, 'small');
		expect((await pull(machine.installer, 'small')).state).toBe('done');
		await isWhole(machine, 'small');
		expect(machine.mirror.starts('/small/model.onnx').at(-1)).toBeGreaterThan(0);
	});

	it('of a model that is not for transcribing keeps it out of models.yaml, and serving refuses it clearly', async () => {
		const machine = await arrangeMachine();
		for (const [id, message] of [
			['silero', 'is for voice activity detection'],
			['unknown-type', 'this version of Earshot cannot serve yet'],
		] as const) {
			expect((await pull(machine.installer, id)).state).toBe('done');
			expect(machine.installer.store.manifest(id)).toBeDefined();
			expect(() => findInstalled(machine.registry(), id)).toThrow(message);
		}
	});

	it('of a model with a licence of another kind needs it accepted', async () => {
		const machine = await arrangeMachine();
		expect(() => machine.installer.pull('odd')).toThrow(/--accept-license/);
		expect(machine.mirror.asked).toEqual([]);
		expect((await pull(machine.installer, 'odd', { acceptLicence: true })).state).toBe('done');
		// Accepted is accepted.
		expect((await pull(machine.installer, 'odd')).state).toBe('done');
	});

	it.each([
		['is unknown', 'nobody', 'earshot search'],
		['is part of Earshot', 'demo-digits', 'is part of Earshot'],
	])('of a model that %s is refused', async (_, id, message) => {
		const machine = await arrangeMachine();
		expect(() => machine.installer.pull(id)).toThrow(message);
	});

	it('comes from the mirror where there is one', async () => {
		const machine = await arrangeMachine({
			models: (mirror) => [
				catalogModel({
					id: 'small',
					files: [
						{
							...fileOn(mirror, '/m/models.test/model.onnx', modelBytes),
							url: 'https://models.test/model.onnx',
						},
						{
							...fileOn(mirror, '/m/models.test/tokens.txt', tokenBytes),
							url: 'https://models.test/tokens.txt',
						},
					],
				}),
			],
		});
		Object.assign(machine.flags, { mirror: `${machine.mirror.url}/m` });
		expect((await pull(machine.another(), 'small')).state).toBe('done');
		await isWhole(machine, 'small');
	});

	it.each([
		[
			'the mirror',
			(url: string) => ({ mirror: `${url.replace('//', '//me:secret@')}/m` }),
			'/m/huggingface.co/o/m',
		],
		['HF_ENDPOINT', (url: string) => ({ hub: `${url.replace('//', '//me:secret@')}/hub` }), '/hub/o/m'],
	])('that fails names %s, the address, and no password', async (_, given, place) => {
		const url = 'https://huggingface.co/o/m/resolve/main/model.onnx';
		const machine = await arrangeMachine({
			models: () => [
				catalogModel({
					id: 'small',
					files: [{ path: 'model.onnx', url, bytes: 1, sha256: null }],
					roles: { model: 'model.onnx' },
				}),
			],
		});
		const { mirror, hub } = { mirror: '', hub: '', ...given(machine.mirror.url) };
		vi.stubEnv('HF_ENDPOINT', hub);
		onTestFinished(() => void vi.unstubAllEnvs());
		if (mirror !== '') Object.assign(machine.flags, { mirror });
		const { error } = await pull(machine.another(), 'small');
		expect(error?.message).toContain(
			`${machine.mirror.url}${place}/resolve/main/model.onnx could not be downloaded`,
		);
		expect(error?.message).not.toMatch(/https:\/\/huggingface|secret/);
	});
});

describe('after', () => {
	const faults: readonly (readonly [string, Fault, string, RegExp])[] = [
		[
			'cut connections',
			{ cutAfter: 500 },
			'download_failed',
			/cut|closed|other side.*resumes where it stopped/,
		],
		[
			'a wrong size',
			{ bytes: noise(100) },
			'download_corrupt',
			/has 100 bytes on the server instead of 120000/,
		],
		[
			'a wrong digest',
			{ bytes: noise(120_000, 3) },
			'download_corrupt',
			/has the SHA-256 .* the source or the mirror/,
		],
		['a web page', { page: '<html>login' }, 'download_corrupt', /a web page instead/],
		['404', { status: 404 }, 'download_failed', /does not have this file/],
		[
			'429',
			{ status: 429, headers: { 'retry-after': '1' } },
			'download_failed',
			/429 and asks to retry in 1 s/,
		],
		['500', { status: 500 }, 'download_failed', /answers 500.*pull again later/],
		['a redirect loop', { redirectTo: '/small/model.onnx' }, 'download_failed', /more than 10 times/],
		[
			'a server that stalls',
			{ stallAfter: 100 },
			'download_failed',
			/stopped sending.*resumes where it stopped/,
		],
		['a server that trickles', { trickleMs: 10 }, 'download_failed', /stopped sending/],
	];

	it.each(faults)(
		'%s no half model is there, and the next pull finishes',
		async (_, fault, code, message) => {
			const machine = await arrangeMachine();
			machine.mirror.spoilAll('/small/model.onnx', fault);
			const error = await fails(machine, 'small');
			expect(error.code).toBe(code);
			expect(error.message).toMatch(message);
			isNowhere(machine, 'small');
			machine.mirror.spoilAll('/small/model.onnx', undefined);
			expect((await pull(machine.installer, 'small')).state).toBe('done');
			await isWhole(machine, 'small');
		},
	);

	it('ranges that are refused the model comes nevertheless', async () => {
		const machine = await arrangeMachine();
		machine.mirror.spoilAll('/small/model.onnx', { ranges: 'refused' });
		expect((await pull(machine.installer, 'small')).state).toBe('done');
		await isWhole(machine, 'small');
	});

	it('a look at a disk without room nothing is asked for', async () => {
		const machine = await arrangeMachine({ deps: { disk: { ...realDisk, freeBytes: async () => 1000 } } });
		const error = await fails(machine, 'small');
		expect(error.code).toBe('disk_full');
		expect(error.message).toMatch(
			/needs 0\.07 GB .* 0\.00 GB are free; free some space, or choose another disk/,
		);
		expect(machine.mirror.asked).toEqual([]);
		expect((await pull(machine.another(quick), 'small')).state).toBe('done');
	});

	it('a disk that fills up meanwhile no half model is there, and the next pull finishes', async () => {
		const disk = {
			...realDisk,
			async open(file: string) {
				const inner = await realDisk.open(file);
				return Object.assign(Object.create(inner), {
					read: inner.read.bind(inner),
					size: inner.size.bind(inner),
					truncate: inner.truncate.bind(inner),
					flush: inner.flush.bind(inner),
					close: inner.close.bind(inner),
					async write(bytes: Uint8Array, position: number) {
						if (position + bytes.length > 30_000)
							throw Object.assign(new Error('no space left'), { code: 'ENOSPC' });
						await inner.write(bytes, position);
					},
				});
			},
		};
		const machine = await arrangeMachine({ deps: { disk } });
		expect((await fails(machine, 'small')).code).toBe('disk_full');
		isNowhere(machine, 'small');
		expect((await pull(machine.another(quick), 'small')).state).toBe('done');
		await isWhole(machine, 'small');
	});
});

describe('a file without a known digest', () => {
	it('is pinned by the first pull, and another one is refused later', async () => {
		const machine = await arrangeMachine();
		const { manifest } = await pull(machine.installer, 'unpinned');
		expect(manifest?.files.map(({ pinned }) => pinned)).toEqual([true, true]);
		await machine.installer.remove('unpinned', never);
		machine.mirror.has('/small/tokens.txt', Buffer.from('c 0\nd 1\n'));
		const error = await fails(machine, 'unpinned');
		expect(error.code).toBe('download_corrupt');
		expect(error.message).toContain('earshot pull unpinned --repin');
		isNowhere(machine, 'unpinned');
		expect((await pull(machine.installer, 'unpinned', { repin: true })).state).toBe('done');
		await isWhole(machine, 'unpinned');
	});

	it('is refused when it is a web page', async () => {
		const machine = await arrangeMachine();
		machine.mirror.spoil('/small/model.onnx', { page: '<!doctype html>' });
		expect((await fails(machine, 'unpinned')).message).toContain('a web page instead');
		expect((await pull(machine.installer, 'unpinned')).state).toBe('done');
	});
});

const inArchive: readonly TarEntry[] = [
	{ name: 'inner/', type: '5' },
	{ name: 'inner/model.int8.onnx', body: modelBytes },
	{ name: 'inner/tokens.txt', body: tokenBytes },
	{ name: 'inner/test_wavs/0.wav', body: noise(100) },
];

describe('an archive', () => {
	const withArchive = (bytes: Buffer, given: object = {}) =>
		arrangeMachine({
			models: (mirror) => [
				...usualModels(mirror),
				catalogModel({
					id: 'packed',
					roles: null,
					archive: {
						url: mirror.has('/packed.tar.gz', bytes),
						subdir: 'inner',
						bytes: bytes.length,
						sha256: sha256(bytes),
					},
					...given,
				}),
			],
		});

	it.each<[string, Buffer]>([
		['.tar.gz', targz(inArchive)],
		...(hasBzip2 ? [['.tar.bz2', tarbz2(inArchive)] satisfies [string, Buffer]] : []),
	])('of the kind %s becomes a model, its files found by their names', async (_, bytes) => {
		const machine = await withArchive(bytes);
		const { state, manifest, error } = await pull(machine.installer, 'packed');
		expect([state, error]).toEqual(['done', undefined]);
		expect(manifest?.roles).toEqual({ model: 'model.int8.onnx', tokens: 'tokens.txt' });
		await isWhole(machine, 'packed');
		await machine.installer.remove('packed', never);
		expect(existsSync(path.join(machine.modelDir, 'packed'))).toBe(false);
	});

	const hostile: readonly (readonly [string, readonly TarEntry[], RegExp])[] = [
		['that climbs out', [...inArchive, { name: '../../evil', body: tokenBytes }], /outside its folder/],
		[
			'with an absolute path',
			[...inArchive, { name: '/tmp/earshot-evil', body: tokenBytes }],
			/outside its folder/,
		],
		[
			'with links in the place of files',
			[{ name: 'inner/model.int8.onnx', type: '2', link: '/etc/passwd' }, ...inArchive.slice(2)],
			/lacks: model/,
		],
		[
			'that is a bomb',
			[...inArchive, { name: 'inner/zeros', body: Buffer.alloc(90 * 2 ** 20) }],
			/unpacks to more than/,
		],
		[
			'without the folder it should have',
			[{ name: 'other/a', body: tokenBytes }],
			/has no folder inner; it contains other/,
		],
	];

	it.each(hostile)('%s is refused whole, and the next pull finishes', async (_, entries, message) => {
		const bytes = targz(entries);
		const machine = await arrangeArchive(bytes);
		const error = await fails(machine, 'packed');
		expect(error.code).toBe('download_corrupt');
		expect(error.message).toMatch(message);
		isNowhere(machine, 'packed');
		expect(existsSync('/tmp/earshot-evil')).toBe(false);
		machine.mirror.has('/packed.tar.gz', targz(inArchive));
		const { state, error: next } = await pull(machine.installer, 'packed');
		expect([state, next]).toEqual(['done', undefined]);
		await isWhole(machine, 'packed');
	});

	/** Nobody has told its digest, so that another one may come later. */
	const arrangeArchive = (bytes: Buffer) =>
		arrangeMachine({
			models: (mirror) => [
				catalogModel({
					id: 'packed',
					roles: null,
					archive: { url: mirror.has('/packed.tar.gz', bytes), subdir: 'inner', bytes: null, sha256: null },
				}),
			],
		});

	it('that was unpacked before the pull was interrupted is not fetched again', async () => {
		const machine = await withArchive(targz(inArchive));
		vi.spyOn(machine.installer.store, 'arrive').mockRejectedValueOnce(new Error('the power went off'));
		expect((await pull(machine.installer, 'packed')).state).toBe('failed');
		expect((await pull(machine.installer, 'packed')).state).toBe('done');
		expect(machine.mirror.starts('/packed.tar.gz')).toEqual([0]);
		await isWhole(machine, 'packed');
	});

	it('with a file that is another one than the catalog says is refused', async () => {
		const machine = await withArchive(targz(inArchive), {
			files: [{ path: 'tokens.txt', url: null, bytes: null, sha256: sha256(Buffer.from('other')) }],
		});
		expect((await fails(machine, 'packed')).message).toContain('tokens.txt in');
		isNowhere(machine, 'packed');
	});

	it('is what `download` in models.yaml may name', async () => {
		const machine = await arrangeMachine({
			yaml: (mirror) => `
models:
  mine:
    type: sense_voice            # a comment
    dir: my-folder
    files: {model: model.int8.onnx, tokens: tokens.txt}
    download: {url: "${mirror.has('/p.tar.gz', targz(inArchive))}", archive_subdir: inner}
`,
		});
		expect(() => findInstalled(machine.registry(), 'mine')).toThrow('earshot pull mine');
		expect((await pull(machine.installer, 'mine')).state).toBe('done');
		await isWhole(machine, 'mine');
		expect(readFileSync(machine.config, 'utf8')).toContain('# a comment');
		expect(existsSync(path.join(machine.modelDir, 'my-folder', 'tokens.txt'))).toBe(true);
	});
});

describe('an entry of models.yaml without a `download`', () => {
	const entry = (files: string) => `models:\n  small: {type: sense_voice, dir: my/folder, files: ${files}}\n`;

	it('is fetched from where the catalog says, into its own folder', async () => {
		const machine = await arrangeMachine({ yaml: () => entry('{model: model.onnx, tokens: tokens.txt}') });
		const { manifest } = await pull(machine.installer, 'small');
		expect(manifest?.folder).toBe('my/folder');
		await isWhole(machine, 'small');
	});

	it('is refused where it means other files', async () => {
		const machine = await arrangeMachine({ yaml: () => entry('{model: other.onnx, tokens: tokens.txt}') });
		expect(() => machine.installer.pull('small')).toThrow(
			'Expected `models.small.files` to be {model: model.onnx, tokens: tokens.txt}',
		);
		expect(() => machine.installer.pull('small')).toThrow(expect.objectContaining({ code: 'conflict' }));
	});
});

describe('a single file', () => {
	it('is what `download` in models.yaml may name', async () => {
		const machine = await arrangeMachine({
			yaml: (mirror) => `
models:
  mine:
    type: whisper_cpp
    dir: mine
    files: {model: ggml.bin}
    download: {url: "${mirror.has('/some/ggml-x.bin', modelBytes)}", sha256: ${sha256(modelBytes)}}
`,
		});
		expect((await pull(machine.installer, 'mine')).state).toBe('done');
		await isWhole(machine, 'mine');
		expect(readFileSync(path.join(machine.modelDir, 'mine', 'ggml.bin')).equals(modelBytes)).toBe(true);
	});

	it.each([
		['a folder of its own', 'files: {model: ggml.bin}', 'models.mine.dir'],
		['one below the model folder', 'dir: /elsewhere\n    files: {model: ggml.bin}', 'models.mine.dir'],
		['files below it', 'dir: mine\n    files: {model: /elsewhere/ggml.bin}', 'models.mine.files.model'],
	])('is refused where the entry has not %s', async (_, lines, field) => {
		const machine = await arrangeMachine({
			yaml: () =>
				`models:\n  mine:\n    type: whisper_cpp\n    ${lines}\n    download: {url: "http://127.0.0.1:1/a.bin"}\n`,
		});
		expect(() => machine.installer.pull('mine')).toThrow(`Expected \`${field}\``);
	});
});

/** A whole model, though a small one. */
const ggml = readFileSync(path.join(generated, 'whisper', 'parakeet.bin'));

describe('the cache of the hub', () => {
	it('is taken from instead of the network', async () => {
		const machine = await arrangeMachine({
			models: () => [
				catalogModel({
					id: 'cached',
					type: 'parakeet_cpp',
					roles: { model: 'ggml.bin' },
					files: [
						{
							path: 'ggml.bin',
							url: 'https://huggingface.co/org/name/resolve/abc/ggml.bin',
							bytes: ggml.length,
							sha256: sha256(ggml),
						},
					],
				}),
			],
			flags: { mirror: 'http://127.0.0.1:1' },
		});
		const snapshot = path.join(machine.folder, 'hub', 'models--org--name', 'snapshots', 'abc');
		mkdirSync(snapshot, { recursive: true });
		writeFileSync(path.join(snapshot, 'ggml.bin'), ggml);
		vi.stubEnv('HF_HUB_CACHE', path.join(machine.folder, 'hub'));
		try {
			const installer = machine.another();
			expect(await installer.inHubCache()).toEqual(['cached']);
			expect((await pull(installer, 'cached')).state).toBe('done');
			await isWhole(machine, 'cached');
			await installer.remove('cached', never);
			expect(existsSync(path.join(snapshot, 'ggml.bin'))).toBe(true);
			const added = await installer.add('cached', { id: 'by-reference' }, never);
			expect(added.files).toEqual({ model: path.join(snapshot, 'ggml.bin') });
			expect(isInstalled(findInstalled(machine.registry(), 'by-reference'))).toBe(true);
			expect(machine.mirror.asked).toEqual([]);
		} finally {
			vi.unstubAllEnvs();
		}
	});
});

describe('what is removed', () => {
	it('leaves models.yaml and the disk, but for what is the user’s own', async () => {
		const machine = await arrangeMachine();
		await pull(machine.installer, 'small');
		const own = path.join(machine.modelDir, 'small', 'notes.txt');
		writeFileSync(own, 'mine');
		expect(await machine.installer.remove('small', never)).toMatchObject({ entry: true, files: true });
		expect(machine.registry().entries.map(({ id }) => id)).toEqual(['demo-digits']);
		expect(readdirSync(path.dirname(own))).toEqual(['notes.txt']);
		await expect(machine.installer.remove('small', never)).rejects.toThrow('not on this machine');
	});

	it('takes along what was made of it', async () => {
		const machine = await arrangeMachine();
		const own = path.join(machine.folder, 'ggml-own.bin');
		const other = path.join(machine.folder, 'other.bin');
		for (const file of [own, other]) writeSharpWhisper(file);
		const { id } = await machine.installer.add(own, {}, never);
		const int8 = new Int8Store(machine.modelDir, {
			make: (from, to) => writeInt8(from, to, never),
		});
		const files = [await int8.weightsOf(own), await int8.weightsOf(other)].map(({ path: file }) => file);
		await machine.installer.remove(id, never);
		expect(files.map((file) => existsSync(file))).toEqual([false, true]);
	});

	it('is only the entry where the files were added', async () => {
		const machine = await arrangeMachine();
		const own = path.join(machine.folder, 'ggml-own.bin');
		writeFileSync(own, ggml);
		const { id } = await machine.installer.add(own, {}, never);
		expect(id).toBe('whisper-own');
		expect(findInstalled(machine.registry(), id).files).toEqual({ model: own });
		await expect(machine.installer.add(own, {}, never)).rejects.toThrow('another id with --id');
		expect(await machine.installer.remove(id, never)).toMatchObject({ entry: true, files: false });
		expect(existsSync(own)).toBe(true);
	});

	it('is not what is being fetched', async () => {
		const machine = await arrangeMachine();
		machine.mirror.spoilAll('/small/model.onnx', { stallAfter: 10 });
		const job = machine.installer.pull('small');
		await expect(machine.installer.remove('small', never)).rejects.toThrow('cancel that first');
		await job.cancel();
	});

	it('is also what was only begun', async () => {
		const machine = await arrangeMachine();
		machine.mirror.spoilAll('/small/model.onnx', { status: 404 });
		await fails(machine, 'small');
		expect(await machine.installer.remove('small', never)).toMatchObject({ entry: false, files: true });
		expect(readdirSync(path.join(machine.modelDir, '.earshot', 'incoming'))).toEqual([]);
		await expect(machine.installer.remove('small', never)).rejects.toThrow('not on this machine');
	});

	it('is never the demo model', async () => {
		const machine = await arrangeMachine();
		await expect(machine.installer.remove('demo-digits', never)).rejects.toThrow('is part of Earshot');
	});
});

describe('a manifest that was tampered with', () => {
	it('removes nothing outside the model folder', async () => {
		const machine = await arrangeMachine();
		await pull(machine.installer, 'small');
		const file = path.join(machine.modelDir, '.earshot', 'models', 'small.json');
		writeFileSync(file, readFileSync(file, 'utf8').replace('"folder": "small"', '"folder": "../.."'));
		expect(machine.installer.store.manifest('small')).toBeUndefined();
	});
});
