/** Finds the sherpa-onnx libraries of this platform. */

import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { EarshotError } from '../core/errors.js';
import { packageRoot } from '../core/paths.js';

/** Name of the npm package with the libraries, e.g. `sherpa-onnx-linux-x64`. */
export function sherpaPackage(platform: string = process.platform, arch: string = process.arch): string {
	return `sherpa-onnx-${platform === 'win32' ? 'win' : platform}-${arch}`;
}

function libraryFile(platform: string): string {
	if (platform === 'win32') return 'sherpa-onnx-c-api.dll';
	return platform === 'darwin' ? 'libsherpa-onnx-c-api.dylib' : 'libsherpa-onnx-c-api.so';
}

/** Path of the ONNX Runtime library in the folder of the sherpa-onnx libraries. */
export function runtimeFile(folder: string, platform: string = process.platform): string {
	if (platform === 'win32') return path.join(folder, 'onnxruntime.dll');
	return path.join(folder, platform === 'darwin' ? 'libonnxruntime.dylib' : 'libonnxruntime.so');
}

/**
 * The folder of the libraries: `given`, else vendor/, else the npm package of the platform.
 * Throws `engine_missing` naming the places searched and the command that helps.
 */
export function findSherpaLibrary(given: string | undefined): string {
	const name = sherpaPackage();
	const vendored = path.join(packageRoot, 'vendor', 'sherpa-onnx', `${process.platform}-${process.arch}`);
	const places = given === undefined ? [vendored, installedPackage(name)] : [given];
	const looked: string[] = [];
	for (const place of places) {
		if (place === undefined) continue;
		if (existsSync(path.join(place, libraryFile(process.platform)))) return place;
		looked.push(place);
	}
	throw new EarshotError(
		'engine_missing',
		`sherpa-onnx was not found: no ${libraryFile(process.platform)} in ${looked.join(' or ') || 'any known place'}. ` +
			`Install it with: npm install ${name}@1.13.8`,
	);
}

/** Like `findSherpaLibrary`, but undefined if there is none. */
export function sherpaLibraryIfAny(given: string | undefined): string | undefined {
	try {
		return findSherpaLibrary(given);
	} catch {
		// A caller that needs it uses findSherpaLibrary, which says what is missing.
		return undefined;
	}
}

function installedPackage(name: string): string | undefined {
	try {
		return path.dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
	} catch {
		// Not installed: the caller names the package and the command.
		return undefined;
	}
}
