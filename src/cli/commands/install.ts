/** `earshot pull`, `add`, `verify` and `rm`: install, check and remove models. */

import path from 'node:path';
import { createInterface } from 'node:readline/promises';
import type { SettingTexts } from '../../core/config/settings.js';
import { EarshotError, expected } from '../../core/errors.js';
import { packageRoot } from '../../core/paths.js';
import { validateFiles } from '../../engines/sherpa/validate/validate.js';
import { Installer, type PullOptions } from '../../models/installer.js';
import { repairCommand } from '../../models/messages.js';
import type { PullStatus } from '../../models/pull/tracker.js';
import { ensureRegistry } from '../../models/registry/file.js';
import type { PullPlan } from '../../models/registry/pull-plan.js';
import { loadRegistry } from '../../models/registry/registry.js';
import type { Manifest, Verified } from '../../models/store/store.js';
import { isSherpaType } from '../../models/types/types.js';
import { interruptible } from '../ui/interruptible.js';
import { transferOn } from '../ui/progress.js';
import { jsonText, sizeText } from '../ui/table.js';

export interface PullCommand extends PullOptions {
	readonly flags: SettingTexts;
}

function installerFor(flags: SettingTexts): Installer {
	let registry = loadRegistry(flags, packageRoot);
	return new Installer(
		() => registry,
		() => {
			registry = loadRegistry(flags, packageRoot);
		},
	);
}

export function pullModels(names: readonly string[], command: PullCommand): Promise<void> {
	return interruptible(async (signal) => {
		await ensureRegistry(command.flags);
		const installer = installerFor(command.flags);
		for (const name of names) {
			const { id, licence } = installer.plan(name);
			const acceptLicence = command.acceptLicence === true || (await acceptsLicence(installer, id, licence));
			await pullOne(installer, id, { ...command, acceptLicence }, signal);
		}
	});
}

/** Pulls a model with a progress bar, then prints what was downloaded. */
export async function pullOne(
	installer: Installer,
	id: string,
	options: PullOptions,
	signal: AbortSignal,
): Promise<void> {
	const pull = installer.pull(id, options);
	const cancel = () => void pull.cancel();
	signal.addEventListener('abort', cancel, { once: true });
	const bar = transferOn(process.stderr);
	let last = pull.status;
	let lastNote = '';
	let lastWarning: string | undefined;
	try {
		for await (const status of pull.statuses(new AbortController().signal)) {
			last = status;
			const note = noteOf(status);
			const { warning } = status;
			const isNew = (note !== lastNote && note !== '') || warning !== lastWarning;
			// The bar is cleared before a line is printed.
			if (isNew || !['downloading', 'converting'].includes(status.state)) bar.stop();
			if (warning !== lastWarning && warning !== undefined) process.stderr.write(`warning: ${warning}\n`);
			if (note !== lastNote && note !== '') process.stderr.write(`${note}\n`);
			[lastNote, lastWarning] = [note, warning];
			if (status.state === 'downloading' || status.state === 'converting')
				bar.update(id, status.received, status.total);
		}
	} finally {
		bar.stop();
		signal.removeEventListener('abort', cancel);
	}
	if (last.error) throw last.error;
	if (last.manifest) printPulled(installer, last.manifest);
}

function noteOf({ id, state, file }: PullStatus): string {
	if (state === 'unpacking') return `unpacking ${file} …`;
	if (state === 'converting') return `converting it to ${file} …`;
	return state === 'waiting' ? `another process is pulling ${id}; waiting for it` : '';
}

function printPulled({ store }: Installer, manifest: Manifest): void {
	const bytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0);
	process.stdout.write(`${manifest.id} is installed: ${sizeText(bytes)} in ${store.folderOf(manifest)}\n`);
	for (const { path: name, sha256 } of manifest.files.filter(({ pinned }) => pinned))
		process.stdout.write(`  the digest of ${name} was not known; from now on it must be ${sha256}\n`);
	if (!['transcription', 'diarization'].includes(manifest.use))
		process.stdout.write(`  it is a model for ${manifest.use}, which Earshot cannot serve yet\n`);
}

/** Asks the user on a terminal; elsewhere --accept-license is required. */
async function acceptsLicence(
	installer: Installer,
	id: string,
	licence: PullPlan['licence'],
): Promise<boolean> {
	if (licence?.osi !== false || installer.store.manifest(id) !== undefined || !isAtTerminal()) return false;
	const answer = await prompt(
		`The licence of ${id} is not open source: ${licence.name}, ${licence.url}\nDo you accept it? [y/N] `,
	);
	return /^y(es)?$/i.test(answer);
}

function isAtTerminal(): boolean {
	return process.stdin.isTTY && process.stderr.isTTY;
}

async function prompt(question: string): Promise<string> {
	const lines = createInterface({ input: process.stdin, output: process.stderr });
	try {
		return (await lines.question(question)).trim();
	} finally {
		lines.close();
	}
}

/** Asks which of several models in a folder is to be added. */
async function choose(folder: string, names: readonly string[]): Promise<string> {
	const list = names.map((name, index) => `  ${index + 1}  ${name}\n`).join('');
	const answer = await prompt(
		`${folder} holds ${names.length} models:\n${list}Which one? [1-${names.length}] `,
	);
	const chosen = names[Number(answer) - 1] ?? names.find((name) => name === answer);
	if (chosen !== undefined) return chosen;
	throw expected('answer', `a number from 1 to ${names.length}`, answer);
}

async function checkSherpa(type: string, files: Readonly<Record<string, string>>): Promise<void> {
	if (isSherpaType(type)) await validateFiles({ type, files, options: {} });
}

export interface AddCommand {
	readonly flags: SettingTexts;
	readonly id: string | undefined;
	readonly type: string | undefined;
	readonly aliases: readonly string[];
}

export function addModel(target: string, { flags, ...options }: AddCommand): Promise<void> {
	return interruptible(async (signal) => {
		await ensureRegistry(flags);
		const installer = installerFor(flags);
		const bar = transferOn(process.stderr);
		let isConverted = false;
		const onProgress = (written: number, total: number): void => {
			if (!isConverted)
				process.stderr.write(`${target} is a CTranslate2 model: converting it to a ggml file …\n`);
			isConverted = true;
			bar.update(path.basename(target), written, total);
		};
		const entry = await installer
			.add(target, { ...options, onProgress, checkSherpa, ...(isAtTerminal() ? { choose } : {}) }, signal)
			.finally(() => bar.stop());
		const files = Object.entries(entry.files).map(([role, file]) => `  ${role}: ${file}\n`);
		process.stdout.write(`${entry.id} was added to models.yaml with type ${entry.type}\n${files.join('')}`);
		const manifest = isConverted ? installer.store.manifest(entry.id) : undefined;
		if (manifest)
			process.stdout.write(
				`  in ${installer.store.folderOf(manifest)}; ${manifest.madeOf} is no longer needed\n`,
			);
	});
}

export function removeModels(names: readonly string[], flags: SettingTexts): Promise<void> {
	return interruptible(async (signal) => {
		const installer = installerFor(flags);
		for (const name of names) {
			const { id, files } = await installer.remove(name, signal);
			process.stdout.write(
				files
					? `${id} was removed\n`
					: `${id} was removed from models.yaml; its files were not pulled by Earshot and stay where they are\n`,
			);
		}
	});
}

/** Without ids: every model that was pulled. */
export function verifyModels(ids: readonly string[], flags: SettingTexts, asJson: boolean): Promise<void> {
	return interruptible(async (signal) => {
		const installer = installerFor(flags);
		const { store } = installer;
		const manifests =
			ids.length === 0
				? store.manifests()
				: ids.map((name) => manifestOf(store.manifest(installer.idOf(name)), name));
		const all: object[] = [];
		for (const manifest of manifests) {
			const total = manifest.files.reduce((sum, { bytes }) => sum + bytes, 0);
			const bar = transferOn(process.stderr);
			const verified = await store
				.verify(manifest, signal, (bytes) => bar.update(manifest.id, bytes, total))
				.finally(() => bar.stop());
			const ok = verified.every((file) => file.ok);
			if (!ok) process.exitCode = 1;
			all.push({ id: manifest.id, ok, files: verified });
			if (!asJson) printVerified(manifest, verified, installer);
		}
		if (asJson) process.stdout.write(jsonText(all));
		else if (manifests.length === 0) process.stdout.write('nothing has been pulled yet\n');
	});
}

function printVerified(manifest: Manifest, verified: readonly Verified[], installer: Installer): void {
	const wrong = verified.filter(({ ok }) => !ok);
	process.stdout.write(`${wrong.length === 0 ? 'ok     ' : 'DAMAGED'}  ${manifest.id}\n`);
	for (const { path: name, detail } of wrong) process.stdout.write(`         ${name} ${detail}\n`);
	const repair = repairCommand(manifest.id, manifest, installer.canPull(manifest.id));
	if (wrong.length > 0 && repair !== '') process.stdout.write(`         to repair it: ${repair}\n`);
}

function manifestOf(manifest: Manifest | undefined, id: string): Manifest {
	if (manifest) return manifest;
	throw new EarshotError(
		'model_not_found',
		`\`${id}\` was not pulled by Earshot, so there are no digests to check it against`,
	);
}
