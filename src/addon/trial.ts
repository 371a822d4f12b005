/** A binary is tried in a child process before this one loads it: a wrong one ends the process that does. */

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import path from 'node:path';
import { childEnvironment } from '../config/environment.js';
import { cacheFolder } from '../config/folders.js';
import { attempt, firstLine } from './attempt.js';
import type { Candidate, Search, Trial } from './candidates.js';

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
		const info = [file, size, mtimeMs, processor, process.versions.node, process.arch];
		const key = createHash('sha256').update(JSON.stringify(info)).digest('hex').slice(0, 32);
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
