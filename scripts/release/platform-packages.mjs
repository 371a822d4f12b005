// Packs the binaries of the platforms that Earshot's own package has no room for: earshot-<platform>-<arch>, which npm
// installs as an optional dependency where it fits. src/addon/addon.ts finds them by name and version.
//
//   node scripts/release/platform-packages.mjs [--out DIR]      those of prebuilds/; prints the tarballs
//   node scripts/release/platform-packages.mjs --dependencies   prints what a release adds to package.json, for `npm pkg set`
import { cpSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { argv, exit, stderr, stdout } from 'node:process';
import { root } from '../build/download.mjs';
import { present, released } from './check-binaries.mjs';
import { npm } from './pack.mjs';

/** Each as npm fetches it, in bytes. */
const bound = 12e6;

/** Linux with glibc is in Earshot's own package. */
const isElsewhere = (name) => !/^linux-\w+$/.test(name);
const packageName = (name) => `earshot-${name.replace(' ', '-')}`;
const { version, license, engines, repository } = JSON.parse(
	readFileSync(join(root, 'package.json'), 'utf8'),
);

/** Makes build/platforms/<package>/ and packs it into `out`. Returns the tarball's path. */
function pack(name, out) {
	const [tuple, libc] = name.split(' ');
	const [os, cpu] = tuple.split('-');
	const folder = join(root, 'build', 'platforms', packageName(name));
	rmSync(folder, { recursive: true, force: true });
	mkdirSync(folder, { recursive: true });
	const prebuilds = join('prebuilds', tuple);
	// One folder holds the binaries for both C libraries.
	cpSync(join(root, prebuilds), join(folder, prebuilds), {
		recursive: true,
		filter: (file) => os !== 'linux' || statSync(file).isDirectory() || basename(file).includes(`.${libc}.`),
	});
	cpSync(join(root, 'prebuilds', 'licences-ffmpeg'), join(folder, 'licences-ffmpeg'), { recursive: true });
	for (const file of ['LICENSE', 'NOTICE']) cpSync(join(root, file), join(folder, file));
	const manifest = {
		name: packageName(name),
		version,
		description: `Earshot's addon for ${name}`,
		license,
		...(repository && { repository }),
		engines,
		os: [os],
		cpu: [cpu],
		...(libc && { libc: [libc] }),
		files: ['prebuilds', 'licences-ffmpeg', 'NOTICE'],
	};
	writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, '\t')}\n`);
	const [packed] = JSON.parse(npm('pack', folder, '--json', '--ignore-scripts', '--pack-destination', out));
	const tarball = join(out, packed.filename);
	const { size } = statSync(tarball);
	stderr.write(`${manifest.name}: ${packed.files.length} files, ${(size / 1e6).toFixed(2)} MB\n`);
	if (size > bound) throw new Error(`${manifest.name}: more than ${bound / 1e6} MB`);
	return tarball;
}

try {
	if (argv.includes('--dependencies')) {
		const names = released.filter(isElsewhere).map(packageName);
		stdout.write(`${names.map((name) => `optionalDependencies.${name}=${version}`).join(' ')}\n`);
		exit(0);
	}
	const out = argv.includes('--out') ? resolve(argv[argv.indexOf('--out') + 1]) : root;
	mkdirSync(out, { recursive: true });
	for (const name of present().filter(isElsewhere)) stdout.write(`${pack(name, out)}\n`);
} catch (error) {
	stderr.write(`platform-packages: ${error.message}\n`);
	exit(1);
}
