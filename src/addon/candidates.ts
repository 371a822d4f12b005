/** Chooses the binary of the addon for this machine: a local build, a GPU package, or a prebuilt level. */

import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { attempt } from './attempt.js';
import { canRun, lackingFor, levelsFor } from './cpu.js';
import { gpuPackages, libcOf, platformPackage } from './packages.js';

/** A file that may hold the addon for this machine. */
export interface Candidate {
	readonly file: string;
	readonly kind: 'local build' | 'GPU package' | 'prebuilt';
	/** The processor level, or the GPU package. */
	readonly name: string;
}

/** The outcome of a trial in a child process, or why the binary cannot be used. */
export type Trial = Started | { readonly why: string };

interface Started {
	/** Instruction sets that the build uses, by ggml's names. */
	readonly features: readonly string[];
	/** Instruction sets of the processor, by the names of /proc/cpuinfo; empty if unknown. */
	readonly processor: readonly string[];
	readonly gpus: number;
}

export interface Search {
	/** Folder that contains build/ and prebuilds/. */
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

/** The functions of node-gyp-build that interpret file names. */
interface NodeGypBuild {
	resolve(root: string): string;
	parseTags(file: string): object | undefined;
	matchTags(runtime: string, abi: string): (tags: object | undefined) => boolean;
	compareTags(runtime: string): (a: object, b: object) => number;
}

const require = createRequire(import.meta.url);
const nodeGypBuild = require('node-gyp-build') as NodeGypBuild;

/** The first candidate that starts in a child process and uses only instruction sets that the processor has. */
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

/** Existing files, in the order in which they are tried. */
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

/** The file that node-gyp-build would choose without a local build; with one, it returns only that. */
function lowestPrebuilt(folder: string): string | undefined {
	const names = attempt(() => readdirSync(folder)) ?? [];
	const matches = nodeGypBuild.matchTags('node', process.versions.modules);
	const fitting = names
		.map((name) => ({ name, tags: nodeGypBuild.parseTags(name) }))
		.filter((each): each is { name: string; tags: object } => matches(each.tags));
	fitting.sort((a, b) => nodeGypBuild.compareTags('node')(a.tags, b.tags));
	return fitting[0] && path.join(folder, fitting[0].name);
}
