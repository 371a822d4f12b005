/** The npm packages with binaries of the addon: for platforms and for GPUs. */

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { packageRoot } from '../core/paths.js';
import { attempt } from './attempt.js';
import { prebuiltPlatforms } from './cpu.js';

/**
 * The package with the binaries of a platform; npm installs it as an optional dependency, since Earshot's own package
 * would be too large with all of them. Undefined for platforms whose binaries are in Earshot's own package: Linux with
 * glibc.
 */
export function platformPackage(
	platform: string,
	arch: string,
	libc: string | undefined,
	from: string = packageRoot,
): { readonly name: string; readonly folder: string | undefined } | undefined {
	if (libc === 'glibc' || !prebuiltPlatforms.includes(`${platform}-${arch}`)) return undefined;
	const name = `earshot-${platform}-${arch}${libc === 'musl' ? '-musl' : ''}`;
	const manifest = attempt(() =>
		createRequire(path.join(from, 'package.json')).resolve(`${name}/package.json`),
	);
	const fits = manifest !== undefined && versionIn(manifest) === packageVersion();
	return { name, folder: fits ? path.dirname(manifest) : undefined };
}

/** The C library of the running Node on Linux: `glibc` or `musl`. */
export function libcOf(platform: string): string | undefined {
	if (platform !== 'linux') return undefined;
	return glibcVersion() === undefined ? 'musl' : 'glibc';
}

export function glibcVersion(): string | undefined {
	const report = process.report?.getReport() as { header?: { glibcVersionRuntime?: string } } | undefined;
	return report?.header?.glibcVersionRuntime;
}

/** GPU backends in a release: see `.github/workflows/prebuild.yml`. */
const gpuBackends: Readonly<Record<string, readonly string[]>> = {
	'linux-x64': ['cuda', 'vulkan'],
	'linux-arm64': ['vulkan'],
};

export interface GpuPackage {
	readonly backend: string;
	readonly name: string;
	/** The version that the package must have: Earshot's own. */
	readonly expected: string;
	/** The installed version. */
	readonly version: string | undefined;
	/** Path of its addon, if the version matches. */
	readonly installed: string | undefined;
	/** The CUDA version that it needs, e.g. `12.8`. */
	readonly cuda: string | undefined;
}

/** The GPU packages that exist for a platform, installed or not, identified by name and version. */
export function gpuPackages(
	platform: string = process.platform,
	arch: string = process.arch,
	from: string = packageRoot,
): GpuPackage[] {
	const expected = packageVersion();
	const installed = createRequire(path.join(from, 'package.json'));
	return (gpuBackends[`${platform}-${arch}`] ?? []).map((backend) => {
		const name = `earshot-${backend}-${platform}-${arch}`;
		const manifest = attempt(() => installed(`${name}/package.json`) as { version: string; cuda?: string });
		const file = manifest?.version === expected ? attempt(() => installed.resolve(name)) : undefined;
		return { backend, name, expected, version: manifest?.version, installed: file, cuda: manifest?.cuda };
	});
}

export const packageVersion = (): string => versionIn(path.join(packageRoot, 'package.json'));

function versionIn(manifest: string): string {
	return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
}
