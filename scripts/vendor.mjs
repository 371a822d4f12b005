// Fills vendor/ from exactly pinned npm packages, as vendor/pins.json says.
//
//   node scripts/vendor.mjs [--quiet]      fetch what is missing or of another pin
//   node scripts/vendor.mjs --check        verify the existing files against the pins; fetches nothing
//
// Packages come through `npm pack`, so the user's registry, mirror and proxy settings apply. The tarball's
// sha512 is compared with the pin before anything is unpacked, and nothing of it is ever run.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
	existsSync,
	lstatSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	renameSync,
	rmSync,
	writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { argv, exit, platform, stderr } from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const vendor = join(root, 'vendor');
const stampName = '.stamp';

/** The contents for this machine: `{platform}` and `{arch}` filled in, pin split into version and integrity. What has
 * another name on one platform stands there by itself, as `only`. */
function wanted() {
	const { pins, contents } = JSON.parse(readFileSync(join(vendor, 'pins.json'), 'utf8'));
	const fill = (text) => text.replace('{platform}', platform).replace('{arch}', process.arch);
	const list = [];
	for (const [place, content] of Object.entries(contents)) {
		if (content.only !== undefined && content.only !== `${platform}-${process.arch}`) continue;
		const name = fill(content.package);
		const pin = pins[name];
		// An engine without a package for this platform is left out; loading it then says engine_missing.
		if (pin === undefined && content.package.includes('{')) continue;
		if (pin === undefined) throw new Error(`vendor/pins.json: no pin for ${name}`);
		const [version, integrity] = pin.split(' ');
		list.push({ ...content, place: fill(place), package: name, version, integrity });
	}
	return list;
}

/** What the stamp holds: everything that decides the files, so that any change of a pin fetches again. */
function stampOf({ place, package: name, version, integrity, root: top, files }) {
	return `${JSON.stringify({ place, package: name, version, integrity, root: top, files })}\n`;
}

function stamped(content) {
	const file = join(vendor, content.place, stampName);
	return existsSync(file) && readFileSync(file, 'utf8') === stampOf(content);
}

function run(command, args, options = {}) {
	const result = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 64 << 20, ...options });
	if (result.error) throw new Error(`${command} could not be started: ${result.error.message}`);
	if (result.status !== 0) {
		throw new Error(`${command} ${args.join(' ')} ended with ${result.status}\n${result.stderr.trim()}`);
	}
	return result.stdout;
}

/** npm as this process was started with, else the one on PATH. */
function npm(args, options) {
	const script = process.env.npm_execpath;
	if (script?.endsWith('.js')) return run(process.execPath, [script, ...args], options);
	return run(platform === 'win32' ? 'npm.cmd' : 'npm', args, { shell: platform === 'win32', ...options });
}

function matcher(top, pattern) {
	const escaped = `${top}/${pattern}`.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '[^/]*');
	return new RegExp(`^${escaped}(/|$)`);
}

function assertPlain(folder) {
	for (const entry of readdirSync(folder)) {
		const path = join(folder, entry);
		const stat = lstatSync(path);
		if (stat.isDirectory()) assertPlain(path);
		else if (!stat.isFile()) throw new Error(`${entry}: neither file nor folder; refused`);
	}
}

function fetchOne(content) {
	const work = mkdtempSync(join(vendor, '.new-'));
	try {
		npm(['pack', `${content.package}@${content.version}`, '--ignore-scripts', '--pack-destination', work], {
			cwd: work,
		});
		const tarball = readdirSync(work).find((name) => name.endsWith('.tgz'));
		if (tarball === undefined) throw new Error(`npm pack ${content.package} left no tarball`);
		const bytes = readFileSync(join(work, tarball));
		const integrity = `sha512-${createHash('sha512').update(bytes).digest('base64')}`;
		if (integrity !== content.integrity) {
			throw new Error(
				`${content.package}@${content.version}: expected integrity ${content.integrity}, got ${integrity}`,
			);
		}

		const patterns = content.files.map((pattern) => ({ pattern, test: matcher(content.root, pattern) }));
		const entries = run('tar', ['-tzf', tarball], { cwd: work }).split('\n').filter(Boolean);
		const picked = entries.filter((entry) => patterns.some(({ test }) => test.test(entry)));
		for (const { pattern, test } of patterns) {
			if (!picked.some((entry) => test.test(entry)))
				throw new Error(`${content.package}: holds no ${pattern}`);
		}
		const bad = picked.find((entry) => entry.startsWith('/') || entry.split('/').includes('..'));
		if (bad !== undefined) throw new Error(`${content.package}: path ${bad} leaves the folder; refused`);
		writeFileSync(join(work, 'picked'), `${picked.join('\n')}\n`);
		run('tar', ['-xzf', tarball, '-T', 'picked', '--no-same-owner'], { cwd: work });
		const unpacked = join(work, ...content.root.split('/'));
		assertPlain(unpacked);
		writeFileSync(join(unpacked, stampName), stampOf(content));

		// The folder appears whole or not at all.
		const place = join(vendor, content.place);
		mkdirSync(dirname(place), { recursive: true });
		if (existsSync(place)) renameSync(place, join(work, 'old'));
		renameSync(unpacked, place);
	} finally {
		rmSync(work, { recursive: true, force: true });
	}
}

/** Makes vendor/ agree with the pins. Says through `say` what it fetches. Resolves at once when it agrees. */
export function fill(say) {
	for (const content of wanted()) {
		if (stamped(content)) continue;
		say(`vendor: ${content.place} from ${content.package}@${content.version}`);
		fetchOne(content);
	}
}

/** Empty when vendor/ and the declarations in native/ agree with the pins, else one sentence for each fault. */
export function check() {
	const faults = [];
	const expect = (what, found, pinned) => {
		if (found !== pinned) faults.push(`${what} is ${found ?? 'not there'}, vendor/pins.json says ${pinned}`);
	};
	const read = (...path) => {
		const file = join(vendor, ...path);
		return existsSync(file) ? readFileSync(file, 'latin1') : '';
	};
	for (const content of wanted()) {
		if (!stamped(content)) {
			faults.push(`vendor/${content.place} is missing or of another pin; run: npm run vendor`);
			continue;
		}
		if (content.place === 'whisper.cpp') {
			const cmake = read('whisper.cpp', 'CMakeLists.txt');
			expect('whisper.cpp', /"whisper\.cpp" VERSION ([\d.]+)/.exec(cmake)?.[1], content.holds['whisper.cpp']);
			const ggml = read('whisper.cpp', 'ggml', 'CMakeLists.txt');
			const part = (name) => new RegExp(`GGML_VERSION_${name} (\\d+)`).exec(ggml)?.[1];
			expect('ggml', ['MAJOR', 'MINOR', 'PATCH'].map(part).join('.'), content.holds.ggml);
		}
		if (content.place.startsWith('sherpa-onnx/')) {
			const folder = join(vendor, content.place);
			const libraries = readdirSync(folder).filter((name) => /\.(so|dylib|dll)$/.test(name));
			const bytes = libraries.map((name) => read(content.place, name)).join('');
			for (const [what, version] of Object.entries(content.holds)) {
				// The version is the end of a string constant in the library.
				const found = new RegExp(`(?<![\\d.])${version.replaceAll('.', '\\.')}\0`).test(bytes);
				expect(what, found ? version : 'another version', version);
			}
			const declared = readFileSync(join(root, 'native', 'sherpa', 'api.h'), 'utf8');
			const version = /kSherpaVersion\[\] = "([^"]+)"/.exec(declared)?.[1];
			expect('the version declared in native/sherpa/api.h', version, content.holds['sherpa-onnx']);
			expect(content.package, content.version, content.holds['sherpa-onnx']);
		}
	}
	return faults;
}

if (import.meta.url === pathToFileURL(argv[1] ?? '').href) {
	const say = (line) => {
		if (!argv.includes('--quiet')) stderr.write(`${line}\n`);
	};
	try {
		if (argv.includes('--check')) {
			const faults = check();
			for (const fault of faults) stderr.write(`${fault}\n`);
			if (faults.length > 0) exit(1);
			say('vendor: agrees with the pins');
		} else {
			fill(say);
		}
	} catch (error) {
		stderr.write(`vendor: ${error.message}\n`);
		exit(1);
	}
}
