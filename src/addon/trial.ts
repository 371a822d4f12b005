/** Tries a binary in a child process before this process loads it, since an unsuitable one may crash its process. */

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import path from 'node:path';
import { childEnvironment } from '../core/config/environment.js';
import { cacheFolder } from '../core/config/folders.js';
import { makeFolderSync } from '../core/disk/disk.js';
import { attempt, firstLine } from './attempt.js';
import type { Candidate, Search, Trial } from './candidates.js';

/**
 * Run with `node -e`; its arguments are the addon's path and kind. Listing the devices initializes ggml. A GPU package
 * must also compute on the GPU: the driver may be too old, or the package may lack code for this kind of GPU.
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
 * Loads a file in a child process, where an unsupported instruction or a failing GPU crashes only that process.
 */
export function tryOut(file: string, kind: Candidate['kind']): Trial {
	try {
		const output = execFileSync(process.execPath, ['-e', trialScript, file, kind], {
			encoding: 'utf8',
			env: childEnvironment(),
			stdio: ['ignore', 'pipe', 'ignore'],
			timeout: trialTimeoutMs,
			windowsHide: true,
		});
		return JSON.parse(output) as Trial;
	} catch (thrown) {
		const { signal, status } = thrown as { signal?: string | null; status?: number | null };
		const end = signal ?? (typeof status === 'number' ? `exit code ${status}` : firstLine(thrown));
		const place = kind === 'GPU package' ? 'this GPU' : 'this processor';
		return { why: `it does not start on ${place} (${end} in a trial)` };
	}
}

/**
 * Caches the outcome of a trial per file, processor and Node version. Only successes are cached, and none of GPU
 * packages, since drivers, their libraries and the GPUs visible in a container change.
 */
export function remembered(
	trial: Search['tryOut'],
	flags: ReadonlySet<string> | undefined,
): Search['tryOut'] {
	return (file, kind) => {
		if (kind === 'GPU package') return trial(file, kind);
		const { size, mtimeMs } = statSync(file);
		const processor = flags === undefined ? cpus()[0]?.model : [...flags];
		const info = [file, size, mtimeMs, processor, process.versions.node, process.arch];
		const key = createHash('sha256').update(JSON.stringify(info)).digest('hex').slice(0, 32);
		const memo = path.join(cacheFolder(), 'trials', `${key}.json`);
		const known = attempt(() => JSON.parse(readFileSync(memo, 'utf8')) as Trial);
		if (known !== undefined && 'features' in known) return known;
		const outcome = trial(file, kind);
		if ('features' in outcome && outcome.features.length > 0) {
			attempt(() => {
				makeFolderSync(path.dirname(memo));
				writeFileSync(memo, JSON.stringify(outcome));
			});
		}
		return outcome;
	};
}
