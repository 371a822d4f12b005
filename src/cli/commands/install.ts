/** `earshot pull`, `add`, `verify` and `rm`. */

import path from 'node:path';
import { createInterface } from 'node:readline/promises';
import type { SettingName } from '../../config/settings.js';
import { EarshotError } from '../../errors.js';
import { Installer, type PullOptions } from '../../models/installer.js';
import type { PullStatus } from '../../models/pull/tracker.js';
import { ensureRegistry } from '../../models/registry/file.js';
import { loadRegistry } from '../../models/registry/registry.js';
import type { Manifest } from '../../models/store/store.js';
import { packageRoot } from '../../paths.js';
import { interruptible } from '../ui/interruptible.js';
import { transferOn } from '../ui/progress.js';
import { sizeText } from './models.js';

type Flags = Partial<Record<SettingName, string>>;

export interface PullCommand extends PullOptions {
	readonly flags: Flags;
}

function installerFor(flags: Flags): Installer {
	let registry = loadRegistry(flags, packageRoot);
	return new Installer(
		() => registry,
		() => {
			registry = loadRegistry(flags, packageRoot);
		},
	);
}

export function pullModels(ids: readonly string[], command: PullCommand): Promise<void> {
	return interruptible(async (signal) => {
		await ensureRegistry(command.flags);
		const installer = installerFor(command.flags);
		for (const id of ids) {
			const acceptLicence = command.acceptLicence === true || (await acceptsLicence(installer, id));
			await pullOne(installer, id, { ...command, acceptLicence }, signal);
		}
	});
}

/** Fetches with a bar, and tells what came. */
export async function pullOne(
	installer: Installer,
	id: string,
	options: PullOptions,
	signal: AbortSignal,
): Promise<void> {
	const job = installer.pull(id, options);
	const cancel = () => void job.cancel();
	signal.addEventListener('abort', cancel, { once: true });
	const bar = transferOn(process.stderr);
	let last = job.status;
	let told = '';
	let warned: string | undefined;
	try {
		for await (const status of job.statuses(new AbortController().signal)) {
			last = status;
			const said = noteOf(status);
			const { warning } = status;
			const isNews = (said !== told && said !== '') || warning !== warned;
			// Neither is to stand in the middle of the other.
			if (isNews || !['downloading', 'converting'].includes(status.state)) bar.stop();
			if (warning !== warned && warning !== undefined) process.stderr.write(`warning: ${warning}\n`);
			if (said !== told && said !== '') process.stderr.write(`${said}\n`);
			[told, warned] = [said, warning];
			if (status.state === 'downloading' || status.state === 'converting')
				bar.update(id, status.received, status.total);
		}
	} finally {
		bar.stop();
		signal.removeEventListener('abort', cancel);
	}
	if (last.error) throw last.error;
	if (last.manifest) tell(installer, last.manifest);
}

function noteOf({ id, state, file }: PullStatus): string {
	if (state === 'unpacking') return `unpacking ${file} …`;
	if (state === 'converting') return `turning it into ${file} …`;
	return state === 'waiting' ? `another process is fetching ${id}; waiting for it` : '';
}

function tell({ store }: Installer, manifest: Manifest): void {
	const bytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0);
	process.stdout.write(`${manifest.id} is here: ${sizeText(bytes)} in ${store.folderOf(manifest)}\n`);
	for (const { path: name, sha256 } of manifest.files.filter(({ pinned }) => pinned))
		process.stdout.write(`  nobody told the digest of ${name} beforehand; from now on it is ${sha256}\n`);
	if (manifest.use !== 'transcription')
		process.stdout.write(`  it is for ${manifest.use}: Earshot does not transcribe with it\n`);
}

/** Asks at a terminal; elsewhere the flag is needed. */
async function acceptsLicence(installer: Installer, id: string): Promise<boolean> {
	const { licence } = installer.plan(id);
	if (licence?.osi !== false || installer.store.manifest(id) !== undefined) return false;
	if (!process.stdin.isTTY || !process.stderr.isTTY) return false;
	const lines = createInterface({ input: process.stdin, output: process.stderr });
	try {
		const answer = await lines.question(
			`The licence of ${id} is not an open-source one: ${licence.name}, ${licence.url}\nDo you accept it? [y/N] `,
		);
		return /^y(es)?$/i.test(answer.trim());
	} finally {
		lines.close();
	}
}

export interface AddCommand {
	readonly flags: Flags;
	readonly id: string | undefined;
	readonly type: string | undefined;
	readonly aliases: readonly string[];
}

export function addModel(target: string, { flags, ...options }: AddCommand): Promise<void> {
	return interruptible(async (signal) => {
		await ensureRegistry(flags);
		const installer = installerFor(flags);
		const bar = transferOn(process.stderr);
		let isMade = false;
		const onProgress = (written: number, total: number): void => {
			if (!isMade) process.stderr.write(`${target} is of CTranslate2: turning it into a ggml file …\n`);
			isMade = true;
			bar.update(path.basename(target), written, total);
		};
		const entry = await installer.add(target, { ...options, onProgress }, signal).finally(() => bar.stop());
		const files = Object.entries(entry.files).map(([role, file]) => `  ${role}: ${file}\n`);
		process.stdout.write(`${entry.id} is in models.yaml, of type ${entry.type}\n${files.join('')}`);
		const manifest = isMade ? installer.store.manifest(entry.id) : undefined;
		if (manifest)
			process.stdout.write(
				`  in ${installer.store.folderOf(manifest)}; ${manifest.madeOf} is no longer needed for it\n`,
			);
	});
}

export function removeModels(ids: readonly string[], flags: Flags): Promise<void> {
	return interruptible(async (signal) => {
		const installer = installerFor(flags);
		for (const id of ids) {
			const { files } = await installer.remove(id, signal);
			process.stdout.write(
				files
					? `${id} is gone\n`
					: `${id} is no longer in models.yaml; its files are your own and stay where they are\n`,
			);
		}
	});
}

/** Without ids: every model that was pulled. */
export function verifyModels(ids: readonly string[], flags: Flags): Promise<void> {
	return interruptible(async (signal) => {
		const { store } = installerFor(flags);
		const manifests =
			ids.length === 0 ? store.manifests() : ids.map((id) => manifestOf(store.manifest(id), id));
		let bad = 0;
		for (const manifest of manifests) {
			const total = manifest.files.reduce((sum, { bytes }) => sum + bytes, 0);
			const bar = transferOn(process.stderr);
			const verified = await store
				.verify(manifest, signal, (bytes) => bar.update(manifest.id, bytes, total))
				.finally(() => bar.stop());
			const wrong = verified.filter(({ ok }) => !ok);
			process.stdout.write(`${wrong.length === 0 ? 'ok     ' : 'DAMAGED'}  ${manifest.id}\n`);
			for (const { path: name, detail } of wrong) process.stdout.write(`         ${name} ${detail}\n`);
			if (wrong.length > 0) process.stdout.write(`         to mend it: ${mendingOf(manifest)}\n`);
			bad += wrong.length;
		}
		if (manifests.length === 0) process.stdout.write('nothing has been pulled yet\n');
		if (bad > 0) process.exitCode = 1;
	});
}

function mendingOf({ id, madeOf }: Manifest): string {
	return madeOf === undefined
		? `earshot pull ${id}`
		: `earshot rm ${id}, then earshot add ${madeOf} --id ${id}`;
}

function manifestOf(manifest: Manifest | undefined, id: string): Manifest {
	if (manifest) return manifest;
	throw new EarshotError(
		'model_not_found',
		`\`${id}\` was not pulled by Earshot, so there is nothing to check it against`,
	);
}
