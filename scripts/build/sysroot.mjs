// An old C library to link against, so that what is built here runs on older distributions: the headers and
// libraries of Debian 11 (glibc 2.31), unpacked into build/sysroot/<arch>. The compiler stays the machine's own.
//
//   node scripts/build/sysroot.mjs        prints the folder
import { spawnSync } from 'node:child_process';
import {
	existsSync,
	lstatSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	readlinkSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { argv, stderr, stdout } from 'node:process';
import { pathToFileURL } from 'node:url';
import { archives, download, root } from './download.mjs';

const triples = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' };

/** Links to absolute paths would lead out of the sysroot, to the newer library. */
function makeLinksRelative(folder, top) {
	for (const name of readdirSync(folder)) {
		const path = join(folder, name);
		const stat = lstatSync(path);
		if (stat.isDirectory()) makeLinksRelative(path, top);
		if (!stat.isSymbolicLink()) continue;
		const target = readlinkSync(path);
		if (!target.startsWith('/')) continue;
		rmSync(path);
		symlinkSync(relative(folder, join(top, target)), path);
	}
}

/** The sysroot's folder, made on first use. */
export async function sysroot(arch = process.arch, say = () => {}) {
	const packages = archives[`sysroot-linux-${arch}`];
	if (packages === undefined) throw new Error(`vendor/pins.json: no sysroot-linux-${arch}`);
	const folder = join(root, 'build', 'sysroot', arch);
	const stamp = join(folder, '.stamp');
	const wanted = JSON.stringify(packages);
	if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return folder;
	rmSync(folder, { recursive: true, force: true });
	mkdirSync(folder, { recursive: true });
	for (const archive of packages) {
		const file = await download(archive, say);
		const { status, stderr: said } = spawnSync('dpkg-deb', ['-x', file, folder], { encoding: 'utf8' });
		if (status !== 0) throw new Error(`dpkg-deb -x ${file}: ${said || 'is dpkg installed?'}`);
	}
	makeLinksRelative(folder, folder);
	// The C++ library belongs to the compiler; its headers are looked for inside the sysroot.
	for (const place of ['usr/include/c++', `usr/include/${triples[arch]}/c++`]) {
		if (existsSync(`/${place}`)) symlinkSync(`/${place}`, join(folder, place));
	}
	writeFileSync(stamp, wanted);
	return folder;
}

/**
 * What makes a C compiler use it. Debian's own search paths come before those below --sysroot, so they are named;
 * a cross compiler has headers of its own C library, which are newer, before those of any sysroot.
 */
export async function sysrootFlags({ arch, isCross, tools }, say) {
	const folder = await sysroot(arch, say);
	const places = [`usr/lib/${triples[arch]}`, `lib/${triples[arch]}`].map((place) => join(folder, place));
	const headers = isCross
		? [headersOf(tools.cc), join(folder, 'usr/include', triples[arch]), join(folder, 'usr/include')]
		: [];
	return [
		`--sysroot=${folder}`,
		`-B${places[0]}`,
		...places.map((place) => `-L${place}`),
		...(isCross ? ['-nostdinc', ...headers.flatMap((place) => ['-isystem', place])] : []),
	];
}

function headersOf(compiler) {
	const { stdout: said, error } = spawnSync(compiler, ['-print-file-name=include'], { encoding: 'utf8' });
	if (error) throw new Error(`${compiler} could not be started: ${error.message}`);
	return said.trim();
}

if (import.meta.url === pathToFileURL(argv[1] ?? '').href) {
	stdout.write(`${await sysroot(process.arch, (line) => stderr.write(`${line}\n`))}\n`);
}
