/** The only file that loads the native addon. Errors thrown here are EarshotErrors. */

import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import type * as Binding from '../../binding.js';
import { requestedKernels } from '../core/config/environment.js';
import { EarshotError, type ErrorCode, isError } from '../core/errors.js';
import { packageRoot } from '../core/paths.js';
import { attempt, firstLine } from './attempt.js';
import { type Choice, chooseAddon } from './candidates.js';
import { checkKernels, prebuiltPlatforms, processorFlags } from './cpu.js';
import { glibcVersion, libcOf, packageVersion, platformPackage } from './packages.js';
import { remembered, tryOut } from './trial.js';

const require = createRequire(import.meta.url);

let loaded: { readonly addon: typeof Binding; readonly choice: Choice } | undefined;

/**
 * The addon, loaded on first use: a local build, else an installed GPU package whose GPU works, else the prebuilt
 * binary of the highest level that this processor supports. Each is tried in a child process first.
 * Throws `engine_missing` naming what was looked for, what was found and the commands that help.
 */
export function addon(): typeof Binding {
	loaded ??= load();
	return loaded.addon;
}

/** Which file the addon was loaded from, and which were rejected. Throws like `addon`. */
export function addonChoice(): Choice {
	loaded ??= load();
	return loaded.choice;
}

function load(): { addon: typeof Binding; choice: Choice } {
	checkKernels(requestedKernels());
	const flags = processorFlags();
	const { platform, arch } = process;
	const trial = remembered(tryOut, flags);
	const choice = chooseAddon({ root: packageRoot, platform, arch, flags, tryOut: trial });
	if (choice.chosen === undefined) throw new EarshotError('engine_missing', missingMessage(choice));
	return { addon: require(choice.chosen.file) as typeof Binding, choice };
}

function missingMessage({ refused }: Choice): string {
	const { platform, arch, versions } = process;
	const tuple = `${platform}-${arch}`;
	const glibc = glibcVersion();
	const libc = platform === 'linux' ? ` (${glibc === undefined ? 'musl' : `glibc ${glibc}`})` : '';
	const own = platformPackage(platform, arch, libcOf(platform));
	const there = attempt(() => readdirSync(path.join(packageRoot, 'prebuilds'))) ?? [];
	const tuples = there.filter((name) => prebuiltPlatforms.includes(name));
	const tried = refused.map(({ candidate, why }) => `${path.relative(packageRoot, candidate.file)}: ${why}`);
	return [
		`Earshot's native addon could not be loaded on ${tuple}${libc}, Node ${versions.node}.`,
		`Looked for build/Release/earshot.node and prebuilds/${tuple}/*.node in ${packageRoot}${own === undefined ? '' : ` and in the package ${own.name}`}:`,
		tried.length > 0
			? `${tried.join('; ')}.`
			: `neither exists (prebuilt binaries here: ${tuples.join(', ') || 'none'}).`,
		prebuiltPlatforms.includes(tuple)
			? `Install again with: npm install ${own === undefined ? 'earshot' : `${own.name}@${packageVersion()}`}. From a checkout, build it with: npm run build:native`
			: `There are prebuilt binaries for ${prebuiltPlatforms.join(', ')}; elsewhere, build it in a checkout with: npm run build:native`,
	].join(' ');
}

/** Settles like `work`, with native errors converted to EarshotErrors. */
export async function guarded<T>(work: () => Promise<T>): Promise<T> {
	try {
		return await work();
	} catch (thrown) {
		throw fromNative(thrown);
	}
}

/** Runs a batch; each clip is cancelled by its own signal. */
export function transcribeBatch<O extends Binding.ClipOptions, I>(
	model: Binding.Model<O, I>,
	clips: readonly Binding.Samples[],
	options: O,
	signals: readonly (AbortSignal | undefined)[],
): Promise<Binding.RawResult>[] {
	return model.transcribeBatch(clips, options).map((result, position) =>
		guarded(async () => {
			const signal = signals[position];
			const cancel = () => model.cancel(options.clip, position);
			if (signal?.aborted === true) cancel();
			signal?.addEventListener('abort', cancel, { once: true });
			try {
				const raw = await result;
				// It had finished before the cancellation reached the addon.
				if (signal?.aborted === true) throw new EarshotError('cancelled', 'the clip was cancelled');
				return raw;
			} finally {
				signal?.removeEventListener('abort', cancel);
			}
		}),
	);
}

/** Converts a native error by its code; anything without one becomes `engine_failed`, and so does `invalid_argument`,
 * which is a bug in Earshot and not a mistake in a request. */
export function fromNative(thrown: unknown): EarshotError {
	if (thrown instanceof EarshotError) return thrown;
	if (isError(thrown) && isTranslated(thrown)) {
		const param = audioCodes.has(thrown.code) ? 'file' : undefined;
		return new EarshotError(thrown.code, thrown.message, { cause: thrown, param });
	}
	return new EarshotError('engine_failed', `the engine failed: ${firstLine(thrown)}`, { cause: thrown });
}

type TranslatedCode = Binding.NativeCode & ErrorCode;

const translatedCodes: ReadonlySet<string> = new Set<TranslatedCode>([
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

function isTranslated(error: Error): error is Error & { readonly code: TranslatedCode } {
	return 'code' in error && typeof error.code === 'string' && translatedCodes.has(error.code);
}
