// Packs the npm tarball into the working folder and holds it to its bounds: nothing in it that should not be,
// nothing missing, each part no larger than allowed. Prints the sizes.
//
//   node scripts/release/pack.mjs [--out DIR] [--all]     --all: with the binaries of every platform, as a release
import { spawnSync } from 'node:child_process';
import { mkdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { argv, exit, platform, stderr, stdout } from 'node:process';
import { pathToFileURL } from 'node:url';
import { root } from '../build/download.mjs';
import { check, oldestGlibc, present } from './check-binaries.mjs';

const megabyte = 1e6;

/** Parts of the package: what belongs to each, and how large it may grow, unpacked, in megabytes. */
const parts = {
	'compiled TypeScript': { pattern: /^dist\/[\w/.-]+\.(js|d\.ts)$/, bound: 2.5 },
	'catalog, OpenAPI': { pattern: /^src\/(models\/catalog\/catalog|server\/openapi)\.yaml$/, bound: 0.2 },
	// Those of other platforms are in packages of their own: scripts/release/platform-packages.mjs.
	'binaries, linux-x64': { pattern: /^prebuilds\/linux-x64\/[\w./-]+\.glibc\.\w+$/, bound: 30 },
	'binaries, linux-arm64': { pattern: /^prebuilds\/linux-arm64\/[\w./-]+\.glibc\.\w+$/, bound: 15 },
	"FFmpeg's licence": { pattern: /^prebuilds\/licences-ffmpeg\//, bound: 0.1 },
	'voice activity': { pattern: /^vendor\/silero-vad\/[\w.]+\.onnx$/, bound: 3 },
	'settings of an engine': { pattern: /^native\/onnxruntime-cpu\.conf$/, bound: 0.01 },
	'demo model': { pattern: /^fixtures\/demo-digits\/[\w.-]+\.(onnx|txt|wav|md)$/, bound: 3 },
	'units, compose file': { pattern: /^deploy\//, bound: 0.05 },
	papers: {
		pattern:
			/^(README\.md|CHANGELOG\.md|LICENSE|NOTICE|package\.json|binding\.d\.ts|levels\.json|sbom\.cdx\.json)$/,
		bound: 1,
	},
};

/** The whole, as npm fetches it. */
const tarballBound = 25 * megabyte;

const needed = [
	'dist/cli/main.js',
	'dist/index.js',
	'dist/index.d.ts',
	'dist/runner/child/main.js',
	'src/models/catalog/catalog.yaml',
	'src/server/openapi.yaml',
	'binding.d.ts',
	'levels.json',
	'vendor/silero-vad/silero_vad_v6.onnx',
	'native/onnxruntime-cpu.conf',
	'fixtures/demo-digits/model.onnx',
	'fixtures/demo-digits/tokens.txt',
	'fixtures/demo-digits/digits-count.wav',
	'LICENSE',
	'NOTICE',
];

/** What npm says; throws where it fails. */
export function npm(...args) {
	const script = process.env.npm_execpath;
	const [command, first] = script?.endsWith('.js') ? [process.execPath, [script]] : ['npm', []];
	const options = {
		cwd: root,
		encoding: 'utf8',
		maxBuffer: 1 << 26,
		shell: platform === 'win32' && command === 'npm',
	};
	const result = spawnSync(command, [...first, ...args], options);
	if (result.status !== 0)
		throw new Error(`npm ${args.join(' ')} ended with ${result.status}\n${result.stderr}`);
	return result.stdout;
}

/** What is wrong with a list of files `{ path, size }` and a tarball's size. */
export function faultsOf(files, size) {
	const faults = [];
	const names = new Set(files.map(({ path }) => path));
	for (const path of needed) if (!names.has(path)) faults.push(`${path} is missing`);
	if (!files.some(({ path }) => /^prebuilds\/linux-x64\/.*\.node$/.test(path)))
		faults.push('no binaries are in it');
	for (const { path } of files) {
		if (!Object.values(parts).some(({ pattern }) => pattern.test(path)))
			faults.push(`${path} does not belong in it`);
	}
	for (const { part, bytes, bound } of sizesOf(files)) {
		if (bytes > bound * megabyte) faults.push(`${part}: ${megabytes(bytes)}, more than ${bound} MB`);
	}
	if (size > tarballBound)
		faults.push(`the tarball: ${megabytes(size)}, more than ${megabytes(tarballBound)}`);
	return faults;
}

function sizesOf(files) {
	return Object.entries(parts).map(([part, { pattern, bound }]) => {
		const own = files.filter(({ path }) => pattern.test(path));
		return { part, bound, count: own.length, bytes: own.reduce((sum, { size }) => sum + size, 0) };
	});
}

const megabytes = (bytes) => `${(bytes / megabyte).toFixed(2)} MB`;

/** Packs and returns the tarball's path. Throws one line for each fault. */
export async function pack({ out = root, all = false, say = () => {} } = {}) {
	mkdirSync(out, { recursive: true });
	const [packed] = JSON.parse(npm('pack', '--json', '--ignore-scripts', '--pack-destination', out));
	const tarball = join(out, packed.filename);
	const { size } = statSync(tarball);
	for (const { part, count, bytes, bound } of sizesOf(packed.files)) {
		if (count > 0)
			say(
				`${part.padEnd(24)}${String(count).padStart(4)} files  ${megabytes(bytes).padStart(9)} of ${bound} MB`,
			);
	}
	say(
		`${'tarball'.padEnd(24)}${String(packed.files.length).padStart(4)} files  ${megabytes(size).padStart(9)} of ${megabytes(tarballBound)}`,
	);
	const faults = [...faultsOf(packed.files, size), ...(await check(all ? undefined : present()))];
	if (faults.length > 0) throw new Error(faults.join('\n'));
	return tarball;
}

if (import.meta.url === pathToFileURL(argv[1] ?? '').href) {
	try {
		const out = argv.includes('--out') ? resolve(argv[argv.indexOf('--out') + 1]) : root;
		const tarball = await pack({
			out,
			all: argv.includes('--all'),
			say: (line) => stderr.write(`${line}\n`),
		});
		stderr.write(`the binaries ask for glibc ${oldestGlibc} or older\n`);
		stdout.write(`${tarball}\n`);
	} catch (error) {
		stderr.write(`pack:\n${error.message}\n`);
		exit(1);
	}
}
