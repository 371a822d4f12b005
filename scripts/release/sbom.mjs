// Writes sbom.cdx.json (CycloneDX): npm's own list of what Earshot depends on, and what is compiled into the addon
// or lies beside it, from vendor/pins.json.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exit, platform, stderr } from 'node:process';
import { archives, root } from '../build/download.mjs';

const { contents, pins } = JSON.parse(readFileSync(join(root, 'vendor', 'pins.json'), 'utf8'));
const args = [
	'sbom',
	'--sbom-format=cyclonedx',
	'--omit=dev',
	'--package-lock-only',
	'--sbom-type=application',
];
const listed = spawnSync('npm', args, {
	cwd: root,
	encoding: 'utf8',
	maxBuffer: 1 << 26,
	shell: platform === 'win32',
});
if (listed.status !== 0) {
	stderr.write(`sbom: npm ${args.join(' ')} ended with ${listed.status}\n${listed.stderr}`);
	exit(1);
}

const component = ({ name, version, licence, origin, source, sha256 }) => ({
	type: 'library',
	'bom-ref': `vendored:${name}@${version}`,
	name,
	version,
	licenses: [{ license: { name: licence } }],
	externalReferences: [
		{ type: 'vcs', url: origin },
		{ type: 'distribution', url: source, ...(sha256 && { hashes: [{ alg: 'SHA-256', content: sha256 }] }) },
	],
});

const vendored = Object.values(contents).flatMap(({ package: from, holds, licence, origin }) => {
	const [pinned] = Object.keys(pins).filter((name) => name.startsWith(from.replace(/\{.*$/, '')));
	const version = pins[pinned].split(' ')[0];
	const source = `https://registry.npmjs.org/${pinned}/-/${pinned.split('/').at(-1)}-${version}.tgz`;
	return Object.entries(holds).map(([name, held]) =>
		component({ name, version: held, licence, origin, source }),
	);
});
const { version, licence, urls, sha256 } = archives.ffmpeg;
vendored.push(
	component({
		name: 'FFmpeg',
		version,
		licence,
		origin: 'https://git.ffmpeg.org/ffmpeg.git',
		source: urls[0],
		sha256,
	}),
);

const bom = JSON.parse(listed.stdout);
bom.components.push(...vendored);
bom.dependencies.push(...vendored.map((each) => ({ ref: each['bom-ref'], dependsOn: [] })));
bom.dependencies
	.find(({ ref }) => ref === bom.metadata.component['bom-ref'])
	?.dependsOn.push(...vendored.map((each) => each['bom-ref']));
writeFileSync(join(root, 'sbom.cdx.json'), `${JSON.stringify(bom, null, '\t')}\n`);
stderr.write(
	`sbom.cdx.json: ${bom.components.length} components, ${vendored.length} of them not from npm's list\n`,
);
