/** The only file that loads the addon. Everything thrown through here is an EarshotError. */

import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type * as Binding from '../../binding.js';
import { EarshotError, type ErrorCode } from '../errors.js';

/** Folder that holds package.json, whether this file runs from src/ or dist/. */
export const packageRoot = fileURLToPath(new URL('../../', import.meta.url));

let loaded: typeof Binding | undefined;

/**
 * The addon, loaded on first use from build/Release or prebuilds/.
 * Throws `engine_missing` naming what was looked for and the command that builds it.
 */
export function addon(): typeof Binding {
	if (loaded) return loaded;
	const require = createRequire(import.meta.url);
	const nodeGypBuild = require('node-gyp-build') as (root: string) => typeof Binding;
	try {
		loaded = nodeGypBuild(packageRoot);
	} catch (cause) {
		throw new EarshotError(
			'engine_missing',
			`Earshot's native addon could not be loaded on ${process.platform}-${process.arch}, Node ${process.versions.node} ` +
				`(looked in build/Release and prebuilds under ${packageRoot}): ${firstLine(cause)}. ` +
				'From a checkout, build it with: npm run build:native',
			{ cause },
		);
	}
	return loaded;
}

/** Settles like `work`, with native failures turned into EarshotErrors. */
export async function guarded<T>(work: () => Promise<T>): Promise<T> {
	try {
		return await work();
	} catch (thrown) {
		throw fromNative(thrown);
	}
}

/** Native failures carry a code of ours; anything else is a fault in Earshot. */
export function fromNative(thrown: unknown): EarshotError {
	if (thrown instanceof EarshotError) return thrown;
	if (thrown instanceof Error && isNativeError(thrown)) {
		const param = audioCodes.has(thrown.code) ? 'file' : undefined;
		return new EarshotError(thrown.code, thrown.message, { cause: thrown, param });
	}
	return new EarshotError('engine_failed', `the engine failed: ${firstLine(thrown)}`, { cause: thrown });
}

const nativeCodes: ReadonlySet<string> = new Set<Binding.NativeCode & ErrorCode>([
	'audio_unsupported',
	'audio_too_long',
	'model_load_failed',
	'engine_missing',
	'engine_failed',
	'out_of_memory',
	'cancelled',
	'closed',
]);
const audioCodes: ReadonlySet<string> = new Set(['audio_unsupported', 'audio_too_long']);

function isNativeError(error: Error): error is Binding.NativeError {
	return 'code' in error && typeof error.code === 'string' && nativeCodes.has(error.code);
}

function firstLine(thrown: unknown): string {
	const text = thrown instanceof Error ? thrown.message : String(thrown);
	return text.split('\n', 1)[0] ?? text;
}
