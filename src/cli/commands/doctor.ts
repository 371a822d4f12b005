/** `earshot doctor`: what is installed, what is missing, and the command that fixes it. */

import { existsSync } from 'node:fs';
import path from 'node:path';
import { addon, addonChoice } from '../../addon/addon.js';
import { levelOfBuild } from '../../addon/cpu.js';
import { findSherpaLibrary, sherpaLibraryIfAny, sherpaPackage } from '../../addon/libraries.js';
import { gpuPackages } from '../../addon/packages.js';
import { earshot } from '../../core/command-line.js';
import { modelOptions } from '../../core/config/resolve.js';
import type { Config, SettingTexts } from '../../core/config/settings.js';
import { asEarshotError } from '../../core/errors.js';
import { packageRoot, sileroPath } from '../../core/paths.js';
import { type EncoderChoice, encoderFor } from '../../engines/whisper/encoder.js';
import { demoNotice } from '../../models/registry/demo.js';
import type { ModelEntry } from '../../models/registry/entry.js';
import { loadRegistry, type ModelRegistry } from '../../models/registry/registry.js';
import type { DoctorReport } from '../../server/routes/doctor.js';
import { jsonText } from '../ui/table.js';
import { type Finding, gpuFinding, gpuSigns } from './gpu-finding.js';

export interface DoctorCommand {
	readonly flags: SettingTexts;
	readonly json: boolean;
}

export async function doctor({ flags, json }: DoctorCommand, version: string): Promise<void> {
	const registry = loadRegistry(flags, packageRoot);
	const findings = [...findingsOf(registry, version), ...(await sharedFindings(registry.config))];
	const ok = findings.every((finding) => finding.ok);
	if (!ok) process.exitCode = 1;
	if (json) {
		process.stdout.write(jsonText({ ok, findings } satisfies DoctorReport));
		return;
	}
	for (const { ok: isThere, what, detail } of findings)
		process.stdout.write(`${isThere ? 'ok     ' : 'MISSING'}  ${what.padEnd(14)}  ${detail}\n`);
	if (registry.entries.length === 1)
		process.stdout.write(`note     ${'models'.padEnd(14)}  ${demoNotice()}\n`);
}

/** Checks of the queue and the object storage that several machines share. */
async function sharedFindings({ queue, blobs }: Config): Promise<readonly Finding[]> {
	if (queue === '' && blobs === '') return [];
	const { checkCluster } = await import('../../cluster/checks/check-cluster.js');
	return await checkCluster({ queue, blobs });
}

function findingsOf(
	{ config, entries, problems, defaultModel, diarizer, warnings }: ModelRegistry,
	version: string,
): Finding[] {
	const native = nativeFindings();
	return [
		{
			ok: true,
			what: 'earshot',
			detail: `${version} on Node ${process.versions.node}, ${process.platform}-${process.arch}`,
		},
		...warnings.map((detail) => ({ ok: false, what: 'models.yaml', detail })),
		...problems.map(({ message }) => ({ ok: false, what: 'models.yaml', detail: message })),
		...native,
		sherpaFinding(
			config.sherpaDir,
			native.some(({ ok, what }) => ok && what === 'addon'),
		),
		voiceActivityFinding(config.vadModel === '' ? sileroPath : config.vadModel),
		diarizationFinding(diarizer),
		...entries.flatMap((entry) => modelFindings(entry, entry.id === defaultModel, config)),
	];
}

function nativeFindings(): Finding[] {
	return attempt('addon', () => {
		const native = addon();
		const versions = native.versions();
		const devices = native.devices();
		return [
			...addonFindings(),
			{ ok: true, what: 'whisper.cpp', detail: `${versions.whisper}, ggml ${versions.ggml}` },
			{ ok: true, what: 'CPU', detail: `${native.cpuFeatures().join(' ')}; kernels: ${native.kernels()}` },
			...devices.map(({ name, kind, description, memoryBytes }) => ({
				ok: true,
				what: 'device',
				detail: `${name} (${kind}): ${description}${memoryBytes > 0 ? `, ${(memoryBytes / 2 ** 30).toFixed(1)} GiB` : ''}`,
			})),
			...(devices.some(({ kind }) => kind !== 'cpu')
				? []
				: [gpuFinding(gpuPackages(), addonChoice(), (backend) => existsSync(gpuSigns[backend] ?? ''))]),
			{
				ok: versions.avcodec !== '',
				what: 'FFmpeg',
				detail:
					versions.avcodec === ''
						? `not in this build: only WAV files can be read. ${ffmpegAdvice(process.platform)}`
						: `libavformat ${versions.avformat}, libavcodec ${versions.avcodec}, libswresample ${versions.swresample} (${versions.ffmpegLicense})`,
			},
		];
	});
}

/** Which addon file is in use, and why better ones were not. */
function addonFindings(): Finding[] {
	const { chosen, refused } = addonChoice();
	const level = levelOfBuild(process.platform, process.arch, addon().cpuFeatures());
	// A prebuilt binary is named after its level.
	const builtFor = chosen?.kind === 'prebuilt' || level === undefined ? '' : `, for ${level}`;
	const skipped = refused.map(({ candidate, why }) => `; ${candidate.name} skipped: ${why}`).join('');
	return [
		{
			ok: true,
			what: 'addon',
			detail: `${chosen?.kind}, ${chosen?.name}, ${chosen && path.relative(packageRoot, chosen.file)}${builtFor}${skipped}`,
		},
	];
}

/** For Windows there are no packages of FFmpeg's libraries, so they have to be built. */
function ffmpegAdvice(platform: string): string {
	if (platform === 'win32')
		return 'Run `node scripts/build/ffmpeg.mjs` in an MSYS2 UCRT64 shell and build again: npm run build:native -- --CDEARSHOT_FFMPEG=build/ffmpeg/win32-x64';
	return 'Install libavformat-dev libavcodec-dev libswresample-dev and build again: npm run build:native';
}

function sherpaFinding(dir: string, hasAddon: boolean): Finding {
	const [finding] = attempt('sherpa-onnx', () => {
		const place = findSherpaLibrary(dir === '' ? undefined : dir);
		if (!hasAddon)
			return [{ ok: true, what: 'sherpa-onnx', detail: `${place}, not tried without the addon` }];
		const { version, onnxruntime, providers } = addon().sherpaVersion(place);
		return [
			{
				ok: true,
				what: 'sherpa-onnx',
				detail: `${version} with onnxruntime ${onnxruntime} (providers: ${providers.join(', ') || 'unknown'}), from ${place}`,
			},
		];
	});
	return finding ?? { ok: false, what: 'sherpa-onnx', detail: `npm install ${sherpaPackage()}@1.13.8` };
}

function voiceActivityFinding(file: string): Finding {
	return existsSync(file)
		? { ok: true, what: 'voice activity', detail: file }
		: { ok: false, what: 'voice activity', detail: `no ${file}; from a checkout: npm run vendor` };
}

/** Diarization is optional, so it is never reported as missing. */
function diarizationFinding(diarizer: string | undefined): Finding {
	const detail = diarizer ?? `not installed; for diarization: ${earshot('pull diarization')}`;
	return { ok: true, what: 'speakers', detail };
}

function modelFindings(entry: ModelEntry, isDefault: boolean, config: Config): Finding[] {
	const { id, files } = entry;
	const missing = Object.values(files).filter((file) => !existsSync(file));
	if (missing.length > 0) return [{ ok: false, what: 'model', detail: `${id} lacks ${missing.join(', ')}` }];
	const name = `${id}${isDefault ? ' (default)' : ''}`;
	return attempt('model', () => [{ ok: true, what: 'model', detail: encoderOf(entry, config) }]).map(
		({ ok, what, detail }) => ({ ok, what, detail: `${name}${ok ? '' : ': '}${detail}` }),
	);
}

const encoderTitles: Record<EncoderChoice['encoder'], string> = {
	int16: 'AVX-512 VNNI in 16 bits (int16)',
	int8: 'AVX-512 VNNI in 8 bits (int8)',
	onnx: 'ONNX Runtime',
	'onnx-int8': 'ONNX Runtime in 8 bits (onnx-int8)',
	ggml: 'ggml',
};

/** The encoder that a Whisper model would use; '' for other types. */
function encoderOf(entry: ModelEntry, config: Config): string {
	if (entry.type !== 'whisper_cpp') return '';
	const { encoder, reason } = encoderFor({
		requested: modelOptions(entry.options, config).encoder,
		path: entry.files.model ?? '',
		libraryDir: sherpaLibraryIfAny(config.sherpaDir === '' ? undefined : config.sherpaDir),
		useGpu: config.gpu,
	});
	const name = encoderTitles[encoder];
	return `, encoded by ${name}${reason === '' ? '' : `: ${reason}`}`;
}

function attempt(what: string, find: () => Finding[]): Finding[] {
	try {
		return find();
	} catch (thrown) {
		const error = asEarshotError(thrown);
		return [
			{
				ok: false,
				what,
				detail:
					error.cause instanceof Error && error.code === 'internal' ? error.cause.message : error.message,
			},
		];
	}
}
