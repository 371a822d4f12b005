/** The only file that loads the addon. Everything thrown through here is an EarshotError. */

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus } from 'node:os';
import path from 'node:path';
import type * as Binding from '../../binding.js';
import { askedKernels, childEnvironment } from '../config/environment.js';
import { cacheFolder } from '../config/folders.js';
import { EarshotError, type ErrorCode } from '../errors.js';
import { packageRoot } from '../paths.js';
import { canRun, checkKernels, lackingFor, levelsFor, prebuiltPlatforms, processorFlags } from './cpu.js';

/** A file that may hold the addon for this machine. */
export interface Candidate {
	readonly file: string;
	readonly kind: 'local build' | 'GPU package' | 'prebuilt';
	/** The processor level, or the GPU package. */
	readonly name: string;
}

/** What a trial in a child process found out, or why it will not do. */
export type Trial = Started | { readonly why: string };

interface Started {
	/** Instruction sets that the build uses, in ggml's words. */
	readonly features: readonly string[];
	/** Those that the processor has, in the words of /proc/cpuinfo; none where it does not tell. */
	readonly processor: readonly string[];
	readonly gpus: number;
}

export interface Search {
	/** Folder of build/ and prebuilds/. */
	readonly root: string;
	readonly platform: string;
	readonly arch: string;
	readonly flags: ReadonlySet<string> | undefined;
	readonly tryOut: (file: string, kind: Candidate['kind']) => Trial;
}

export interface Choice {
	readonly chosen: Candidate | undefined;
	readonly refused: readonly { readonly candidate: Candidate; readonly why: string }[];
}

/** What node-gyp-build has besides finding: its reading of file names. */
interface NodeGypBuild {
	resolve(root: string): string;
	parseTags(file: string): object | undefined;
	matchTags(runtime: string, abi: string): (tags: object | undefined) => boolean;
	compareTags(runtime: string): (a: object, b: object) => number;
}

const require = createRequire(import.meta.url);
const nodeGypBuild = require('node-gyp-build') as NodeGypBuild;

let loaded: { readonly addon: typeof Binding; readonly choice: Choice } | undefined;

/**
 * The addon, loaded on first use: a local build, else an installed GPU package whose GPU calculates, else the
 * prebuilt binary of the highest level that this processor runs. Each is tried in a child process first.
 * Throws `engine_missing` naming what was looked for, what was found and the commands that help.
 */
export function addon(): typeof Binding {
	loaded ??= load();
	return loaded.addon;
}

/** Which file the addon came from, and which were passed over. Throws as `addon` does. */
export function addonChoice(): Choice {
	loaded ??= load();
	return loaded.choice;
}

function load(): { addon: typeof Binding; choice: Choice } {
	checkKernels(askedKernels());
	const flags = processorFlags();
	const { platform, arch } = process;
	const trial = remembered(tryOut, flags);
	const choice = chooseAddon({ root: packageRoot, platform, arch, flags, tryOut: trial });
	if (choice.chosen === undefined) throw new EarshotError('engine_missing', missingMessage(choice));
	return { addon: require(choice.chosen.file) as typeof Binding, choice };
}

/** The first candidate that starts in a child process and asks nothing of the processor that it lacks. */
export function chooseAddon(search: Search): Choice {
	const refused: { candidate: Candidate; why: string }[] = [];
	for (const candidate of candidates(search)) {
		const trial = search.tryOut(candidate.file, candidate.kind);
		const why = 'why' in trial ? trial.why : unfit(candidate, trial, search.flags);
		if (why === undefined) return { chosen: candidate, refused };
		refused.push({ candidate, why });
	}
	return { chosen: undefined, refused };
}

function unfit(
	{ kind }: Candidate,
	{ features, processor, gpus }: Started,
	flags: ReadonlySet<string> | undefined,
): string | undefined {
	const lacking = lackingFor(features, flags ?? (processor.length > 0 ? new Set(processor) : undefined));
	if (lacking.length > 0) return `built for processors with ${lacking.join(', ')}, which this one lacks`;
	if (kind === 'GPU package' && gpus === 0) return 'it finds no GPU here';
	return undefined;
}

/** Files that exist, in the order they are tried. */
function candidates({ root, platform, arch, flags }: Search): Candidate[] {
	const found = attempt(() => nodeGypBuild.resolve(root));
	const local = found?.startsWith(path.join(root, 'build') + path.sep) ? found : undefined;
	const prebuilds = path.join('prebuilds', `${platform}-${arch}`);
	const elsewhere = platformPackage(platform, arch, libcOf(platform), root)?.folder;
	const baseline =
		(local === undefined ? found : lowestPrebuilt(path.join(root, prebuilds))) ??
		(elsewhere && lowestPrebuilt(path.join(elsewhere, prebuilds)));
	const list: Candidate[] = [];
	if (local !== undefined) list.push({ file: local, kind: 'local build', name: 'build/Release' });
	for (const { name, installed } of gpuPackages(platform, arch, root)) {
		if (installed !== undefined) list.push({ file: installed, kind: 'GPU package', name });
	}
	if (baseline === undefined) return list;
	const levels = levelsFor(platform, arch);
	for (const [index, level] of levels.entries()) {
		const isLowest = index === levels.length - 1;
		const file = isLowest ? baseline : path.join(path.dirname(baseline), level.name, path.basename(baseline));
		if ((isLowest || canRun(level, flags)) && existsSync(file))
			list.push({ file, kind: 'prebuilt', name: level.name });
	}
	return list;
}

/**
 * The package with the binaries of a platform that are not in Earshot's own, which would be too large with all of
 * them; npm installs it as an optional dependency. Undefined for platforms that are: Linux with glibc.
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

/** `glibc` or `musl` on Linux, of the Node that runs this. */
function libcOf(platform: string): string | undefined {
	if (platform !== 'linux') return undefined;
	return glibcVersion() === undefined ? 'musl' : 'glibc';
}

function glibcVersion(): string | undefined {
	const report = process.report?.getReport() as { header?: { glibcVersionRuntime?: string } } | undefined;
	return report?.header?.glibcVersionRuntime;
}

/** What node-gyp-build would take where there is no local build; it does not say while there is one. */
function lowestPrebuilt(folder: string): string | undefined {
	const names = attempt(() => readdirSync(folder)) ?? [];
	const matches = nodeGypBuild.matchTags('node', process.versions.modules);
	const fitting = names
		.map((name) => ({ name, tags: nodeGypBuild.parseTags(name) }))
		.filter((each): each is { name: string; tags: object } => matches(each.tags));
	fitting.sort((a, b) => nodeGypBuild.compareTags('node')(a.tags, b.tags));
	return fitting[0] && path.join(folder, fitting[0].name);
}

/** What a release builds: see `.github/workflows/prebuild.yml`. */
const gpuBackends: Readonly<Record<string, readonly string[]>> = {
	'linux-x64': ['cuda', 'vulkan'],
	'linux-arm64': ['vulkan'],
};

export interface GpuPackage {
	readonly backend: string;
	readonly name: string;
	/** The only version that fits: Earshot's own. */
	readonly wanted: string;
	/** The one that is installed. */
	readonly version: string | undefined;
	/** Its addon, where the version fits. */
	readonly installed: string | undefined;
	/** The CUDA whose libraries it wants, e.g. `12.8`. */
	readonly cuda: string | undefined;
}

/** The GPU packages that exist for a platform, found by their names and versions, never by their files' names. */
export function gpuPackages(
	platform: string = process.platform,
	arch: string = process.arch,
	from: string = packageRoot,
): GpuPackage[] {
	const wanted = packageVersion();
	const installed = createRequire(path.join(from, 'package.json'));
	return (gpuBackends[`${platform}-${arch}`] ?? []).map((backend) => {
		const name = `earshot-${backend}-${platform}-${arch}`;
		const manifest = attempt(() => installed(`${name}/package.json`) as { version: string; cuda?: string });
		const file = manifest?.version === wanted ? attempt(() => installed.resolve(name)) : undefined;
		return { backend, name, wanted, version: manifest?.version, installed: file, cuda: manifest?.cuda };
	});
}

const packageVersion = (): string => versionIn(path.join(packageRoot, 'package.json'));

function versionIn(manifest: string): string {
	return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
}

/**
 * Run with `node -e`; its arguments are the addon's path and kind. Naming the devices starts ggml. A GPU package must not
 * only find a GPU, but calculate on it: a driver may be too old, or the GPU of a kind that the package has no code for.
 */
const trialScript = `
const say = (outcome) => require('node:fs').writeSync(1, JSON.stringify(outcome));
try {
	const [, file, kindOfFile] = process.argv;
	const addon = require(file);
	const isUsable = ({ kind }, device) => kind !== 'cpu' && (kindOfFile !== 'GPU package' || addon.calculates(device));
	const gpus = addon.devices().filter(isUsable).length;
	say({ features: addon.cpuFeatures(), processor: addon.processorFlags(), gpus });
} catch (error) {
	say({ why: String(error.message).split('\\n', 1)[0] });
}`;

const trialTimeoutMs = 30_000;

/**
 * Loads a file in a child process, where an instruction that this processor lacks ends nothing else, nor a GPU that fails.
 */
export function tryOut(file: string, kind: Candidate['kind']): Trial {
	try {
		const said = execFileSync(process.execPath, ['-e', trialScript, file, kind], {
			encoding: 'utf8',
			env: childEnvironment(),
			stdio: ['ignore', 'pipe', 'ignore'],
			timeout: trialTimeoutMs,
			windowsHide: true,
		});
		return JSON.parse(said) as Trial;
	} catch (thrown) {
		const { signal, status } = thrown as { signal?: string | null; status?: number | null };
		const end = signal ?? (typeof status === 'number' ? `exit code ${status}` : firstLine(thrown));
		const place = kind === 'GPU package' ? 'this GPU' : 'this processor';
		return { why: `it does not start on ${place} (${end} in a trial)` };
	}
}

/**
 * The same, asking only once for a file on this processor under this Node. Only successes are kept, and none of GPU
 * packages: drivers, their libraries and the GPUs that a container sees come and go.
 */
export function remembered(
	trial: Search['tryOut'],
	flags: ReadonlySet<string> | undefined,
): Search['tryOut'] {
	return (file, kind) => {
		if (kind === 'GPU package') return trial(file, kind);
		const { size, mtimeMs } = statSync(file);
		const processor = flags === undefined ? cpus()[0]?.model : [...flags];
		const facts = [file, size, mtimeMs, processor, process.versions.node, process.arch];
		const key = createHash('sha256').update(JSON.stringify(facts)).digest('hex').slice(0, 32);
		const memo = path.join(cacheFolder(), 'trials', `${key}.json`);
		const known = attempt(() => JSON.parse(readFileSync(memo, 'utf8')) as Trial);
		if (known !== undefined && 'features' in known) return known;
		const outcome = trial(file, kind);
		if ('features' in outcome && outcome.features.length > 0) {
			attempt(() => {
				mkdirSync(path.dirname(memo), { recursive: true });
				writeFileSync(memo, JSON.stringify(outcome));
			});
		}
		return outcome;
	};
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
			: `neither is there (prebuilt binaries here: ${tuples.join(', ') || 'none'}).`,
		prebuiltPlatforms.includes(tuple)
			? `Install again with: npm install ${own === undefined ? 'earshot' : `${own.name}@${packageVersion()}`}. From a checkout, build it with: npm run build:native`
			: `There are prebuilt binaries for ${prebuiltPlatforms.join(', ')}; elsewhere, build it in a checkout with: npm run build:native`,
	].join(' ');
}

/** Undefined where it throws. */
function attempt<T>(find: () => T): T | undefined {
	try {
		return find();
	} catch {
		// The caller goes on without.
		return undefined;
	}
}

/** Settles like `work`, with native failures turned into EarshotErrors. */
export async function guarded<T>(work: () => Promise<T>): Promise<T> {
	try {
		return await work();
	} catch (thrown) {
		throw fromNative(thrown);
	}
}

/** Runs a batch, each clip until its own signal fires. */
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
				// It was done before the addon could be told.
				if (signal?.aborted === true) throw new EarshotError('cancelled', 'the clip was cancelled');
				return raw;
			} finally {
				signal?.removeEventListener('abort', cancel);
			}
		}),
	);
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
