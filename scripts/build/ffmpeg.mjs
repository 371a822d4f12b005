// Builds libearshot-ffmpeg: FFmpeg's decoders for audio and nothing else, under the LGPL, as one shared library
// beside the addon, so that users can replace FFmpeg by replacing one file. It is built from the sources that
// vendor/pins.json names, with the configure line below, which NOTICE repeats.
//
//   node scripts/build/ffmpeg.mjs                 into build/ffmpeg/<platform>-<arch>; needs make, a C compiler, nasm (x64)
//   node scripts/build/ffmpeg.mjs --arch arm64    for another target of scripts/build/target.mjs (--platform)
//   node scripts/build/ffmpeg.mjs --configure     prints the configure line and does nothing
//
// On Windows, run it in an MSYS2 UCRT64 shell.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
	chmodSync,
	cpSync,
	existsSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	rmSync,
	writeFileSync,
} from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
import { argv, exit, stderr, stdout } from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { archives, download, root } from './download.mjs';
import { sysrootFlags } from './sysroot.mjs';
import { targetAsked, targetOf } from './target.mjs';

const pcm = ['alaw', 'mulaw', 'u8', 's8', 's16le', 's16be', 's24le', 's24be', 's32le', 's32be'];

/** The parts included. No video, since only the audio of a recording is needed. */
const parts = {
	demuxer: [
		'aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,dts,eac3,flac,flv,g722,gsm,loas,matroska,mov,mp3',
		'mpegps,mpegts,ogg,tta,voc,w64,wav,wv',
	],
	decoder: [
		'aac,aac_latm,ac3,alac,amrnb,amrwb,ape,dca,eac3,flac,gsm,gsm_ms,mp1float,mp2float,mp3float,nellymoser',
		'opus,speex,tta,vorbis,wavpack,wmalossless,wmapro,wmav1,wmav2',
		'adpcm_g722,adpcm_g726,adpcm_ima_qt,adpcm_ima_wav,adpcm_ms,adpcm_swf,adpcm_yamaha',
		...[...pcm, 'f32le', 'f32be', 'f64le', 'f64be', 'dvd', 'bluray', 's16le_planar'].map(
			(name) => `pcm_${name}`,
		),
	],
	parser: ['aac,aac_latm,ac3,amr,dca,flac,gsm,mpegaudio,opus,vorbis'],
};

/** The same for every target, but for the kind of threads. */
export const configureLine = ({ platform }) => [
	'--disable-everything',
	'--disable-autodetect',
	'--disable-programs',
	'--disable-doc',
	'--disable-network',
	'--disable-avdevice',
	'--disable-avfilter',
	'--disable-swscale',
	'--disable-postproc',
	'--disable-debug',
	'--enable-swresample',
	'--enable-static',
	'--disable-shared',
	'--enable-pic',
	// Recordings are decoded on several threads at once: without, one-time set-up inside FFmpeg is a race.
	platform === 'win32' ? '--enable-w32threads' : '--enable-pthreads',
	...Object.entries(parts).map(([kind, names]) => `--enable-${kind}=${names.join(',')}`),
];

/** Names of FFmpeg's public functions; everything else in the library is its own affair. */
const publicNames = ['av_*', 'avcodec_*', 'avformat_*', 'avio_*', 'avutil_*', 'swr_*', 'swresample_*'];

const libraries = ['avformat', 'avcodec', 'swresample', 'avutil'];

/** File name of the library. The C library is in it, because one folder holds both builds for Linux. */
export function libraryName({ platform, libc }) {
	if (platform === 'win32') return 'earshot-ffmpeg.dll';
	return platform === 'darwin' ? 'libearshot-ffmpeg.dylib' : `libearshot-ffmpeg.${libc}.so`;
}

/** Backslashes are lost in a shell. */
const forShell = (path) => path.replaceAll('\\', '/');

function run(command, args, cwd) {
	const { status, error } = spawnSync(command, args, { cwd, stdio: ['ignore', 2, 2] });
	if (error) throw error;
	if (status !== 0) throw new Error(`${command} ${args[0] ?? ''} ended with ${status}`);
}

/** Options of configure, compiler and flags for a target. */
function toolsFor({ platform, arch, isCross, tools }, flags) {
	const options = [];
	const machine = arch === 'x64' ? 'x86_64' : 'aarch64';
	if (platform === 'darwin') {
		flags = [...flags, '-mmacosx-version-min=11.0'];
		if (isCross) {
			flags.push('-arch', arch === 'x64' ? 'x86_64' : 'arm64');
			options.push('--enable-cross-compile', '--target-os=darwin', `--arch=${machine}`);
		}
	} else if (isCross) {
		const system = platform === 'win32' ? 'mingw32' : platform;
		options.push('--enable-cross-compile', `--target-os=${system}`, `--arch=${machine}`);
		for (const name of ['ar', 'ranlib', 'nm', 'strip']) options.push(`--${name}=${tools[name]}`);
	}
	return { options, compiler: tools.cc, nm: tools.nm, flags };
}

/** Links the four libraries into one, which exports only public functions and has no absolute path. */
function link(out, { compiler, nm, flags }, target) {
	const { platform } = target;
	const name = libraryName(target);
	const statics = libraries.map((library) => join(out, 'lib', `lib${library}.a`));
	const exported = join(out, 'exported');
	const shim = platform === 'linux' && flags.length > 0 ? oldGlibcArgs : [];
	if (platform === 'darwin') {
		writeFileSync(exported, publicNames.map((pattern) => `_${pattern}\n`).join(''));
		const load = statics.map((file) => `-Wl,-force_load,${file}`);
		const more = ['-Wl,-exported_symbols_list', `-Wl,${exported}`, '-Wl,-dead_strip', '-Wl,-x'];
		run(compiler, [
			...flags,
			'-dynamiclib',
			'-o',
			join(out, name),
			'-install_name',
			`@rpath/${name}`,
			...load,
			...more,
		]);
		return;
	}
	const whole = ['-Wl,--whole-archive', ...statics, '-Wl,--no-whole-archive'];
	if (platform === 'win32') {
		const symbols = spawnSync(nm, ['-g', '--defined-only', ...statics], {
			encoding: 'utf8',
			maxBuffer: 1 << 26,
		});
		const pattern = new RegExp(`^(${publicNames.map((text) => text.replace('*', '\\w*')).join('|')})$`);
		const names = symbols.stdout.split('\n').map((line) => line.trim().split(' ')[2] ?? '');
		const lines = [...new Set(names)]
			.filter((symbol) => pattern.test(symbol))
			.map((symbol) => `\t${symbol}\n`);
		writeFileSync(`${exported}.def`, `LIBRARY ${name}\nEXPORTS\n${lines.join('')}`);
		const implib = join(out, 'lib', 'earshot-ffmpeg.lib');
		const system = ['-lbcrypt', '-lole32', '-luser32', '-lsecur32'];
		run(compiler, [
			'-shared',
			'-static',
			'-s',
			'-o',
			join(out, name),
			`${exported}.def`,
			`-Wl,--out-implib,${implib}`,
			...whole,
			...system,
		]);
		return;
	}
	writeFileSync(exported, `{ global: ${publicNames.join('; ')}; local: *; };\n`);
	run(compiler, [
		...flags,
		'-shared',
		'-s',
		'-o',
		join(out, name),
		`-Wl,-soname,${name}`,
		`-Wl,--version-script=${exported}`,
		...['-Bsymbolic', '--gc-sections', '-z,defs', '-z,relro', '-z,now', '-z,noexecstack', '-z,nodelete'].map(
			(flag) => `-Wl,${flag}`,
		),
		...whole,
		...shim,
		'-lm',
		'-lpthread',
	]);
}

/** The functions that an older glibc has under older names. */
const oldGlibcArgs = [
	join(root, 'native', 'platform', 'old_glibc.c'),
	...['exp', 'exp2', 'log', 'log2', 'pow'].map((name) => `-Wl,--wrap=${name}`),
];

/**
 * The folder with include/, lib/ and the library; built where the sources, the line or the flags are others.
 * Linux with glibc is linked against the old one of scripts/build/sysroot.mjs with `oldGlibc`.
 */
export async function build({ target = targetOf(), oldGlibc = false, say = () => {} } = {}) {
	const out = join(root, 'build', 'ffmpeg', target.tuple);
	const made = toolsFor(target, oldGlibc ? await sysrootFlags(target, say) : []);
	const line = configureLine(target);
	const facts = [
		archives.ffmpeg.sha256,
		line,
		made,
		oldGlibc && readFileSync(join(root, 'native', 'platform', 'old_glibc.c'), 'utf8'),
	];
	const stamp = createHash('sha256').update(JSON.stringify(facts)).digest('hex');
	const stampFile = join(out, '.stamp');
	if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return out;

	const file = await download(archives.ffmpeg, say);
	const work = join(root, 'build', 'ffmpeg', `work-${target.tuple}`);
	rmSync(work, { recursive: true, force: true });
	rmSync(out, { recursive: true, force: true });
	mkdirSync(work, { recursive: true });
	mkdirSync(out, { recursive: true });
	// By a relative path: to the tar of MSYS2 a drive's letter is another machine's name.
	run('tar', ['-xJf', forShell(relative(work, file)), '--strip-components=1'], work);
	// FFmpeg keeps its configure line in the binary: so paths of this machine are passed to the compiler instead.
	const launcher = spawnSync('ccache', ['--version']).status === 0 ? 'ccache ' : '';
	writeFileSync(
		join(work, 'cc'),
		`#!/bin/sh\nexec ${launcher}${[made.compiler, ...made.flags].join(' ')} "$@"\n`,
	);
	chmodSync(join(work, 'cc'), 0o755);
	say(`FFmpeg ${archives.ffmpeg.version}: ./configure ${[...line, ...made.options].join(' ')}`);
	run('sh', ['./configure', '--prefix=/', '--cc=./cc', ...line, ...made.options], work);
	assertLicence(readFileSync(join(work, 'config.h'), 'utf8'));
	run('make', [`-j${availableParallelism()}`], work);
	run('make', ['install', `DESTDIR=${forShell(out)}`], work);
	link(out, made, target);
	const licences = join(out, 'licences');
	mkdirSync(licences);
	for (const name of readdirSync(work).filter((entry) => /^(COPYING\.LGPLv2|LICENSE|CREDITS)/.test(entry)))
		cpSync(join(work, name), join(licences, name));
	rmSync(work, { recursive: true, force: true });
	writeFileSync(stampFile, stamp);
	return out;
}

/** A configuration under the GPL must never be shipped, and one without threads is unsafe. */
function assertLicence(config) {
	const licence = /FFMPEG_LICENSE "([^"]+)"/.exec(config)?.[1];
	if (licence !== 'LGPL version 2.1 or later') throw new Error(`FFmpeg would be under ${licence}`);
	if (!/HAVE_THREADS 1/.test(config)) throw new Error('FFmpeg was configured without threads');
}

if (import.meta.url === pathToFileURL(argv[1] ?? '').href) {
	if (argv.includes('--configure')) {
		stdout.write(`./configure ${configureLine(targetAsked()).join(' ')}\n`);
		exit(0);
	}
	try {
		const folder = await build({
			target: targetAsked(),
			oldGlibc: argv.includes('--old-glibc'),
			say: (line) => stderr.write(`${line}\n`),
		});
		stdout.write(`${folder}\n`);
	} catch (error) {
		stderr.write(`${fileURLToPath(import.meta.url)}: ${error.message}\n`);
		exit(1);
	}
}
