/** whisper.cpp's own command, as its makers build it, on many recordings. */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run, whisperPrograms } from '../../bench/lib/peers.mjs';
import { wav } from '../../bench/lib/speech.mjs';
import { floatsIn, workplace } from '../samples.mjs';

/** It reads no WAV file without samples, and takes at most so many a run: command lines are bounded. */
const filesInRun = 64;

/**
 * @param {string} model a ggml file @param {number} beam @param {number} threads
 * @returns {import('./peers.mjs').Peer}
 */
export function whisperCli(model, beam, threads) {
	const { cli } = whisperPrograms('default');
	return {
		name: `whisper-cli ${beam}`,
		transcribe(recordings) {
			mkdirSync(workplace, { recursive: true });
			const folder = mkdtempSync(join(workplace, 'whisper-cli-'));
			try {
				const files = recordings.map(({ id, path }, at) => {
					const file = join(folder, `${at}.wav`);
					writeFileSync(file, wav(floatsIn(path)));
					return { id, file };
				});
				const start = performance.now();
				for (let at = 0; at < files.length; at += filesInRun) {
					const some = files.slice(at, at + filesInRun).flatMap(({ file }) => ['--file', file]);
					const search = ['--beam-size', `${beam}`, '--best-of', `${Math.max(beam, 2)}`];
					const args = ['--model', model, '--threads', `${threads}`, '--language', 'en', '--output-json'];
					run(cli, [...args, ...search, ...some]);
				}
				const elapsed = (performance.now() - start) / 1000;
				return {
					elapsed,
					results: files.map(({ id, file }) => ({ id, text: textIn(`${file}.json`), fellBack: false })),
				};
			} finally {
				rmSync(folder, { recursive: true, force: true });
			}
		},
	};
}

/** @param {string} file that whisper-cli wrote; none where it heard nothing @returns {string} */
function textIn(file) {
	/** @type {{ transcription: { text: string }[] }} */
	const { transcription } = JSON.parse(readFileSync(file, 'utf8'));
	return transcription.map(({ text }) => text).join('');
}
