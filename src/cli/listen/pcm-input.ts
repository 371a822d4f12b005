/** Standard input of `earshot listen` has no header, so a file in it would be transcribed as noise, at a wrong rate. */

import { earshot } from '../../core/command-line.js';
import { EarshotError } from '../../core/errors.js';

/** How recordings begin: four letters, and where they are. */
const signatures: readonly (readonly [letters: string, at: number, name: string])[] = [
	['RIFF', 0, 'WAV'],
	['RIFX', 0, 'WAV'],
	['RF64', 0, 'WAV'],
	['fLaC', 0, 'FLAC'],
	['OggS', 0, 'Ogg'],
	['ftyp', 4, 'MP4'],
];

/** `start`: the first bytes of standard input. Throws `invalid_request` if they are of a recording. */
export function refuseFile(start: Uint8Array): void {
	const text = Buffer.from(start.subarray(0, 8)).toString('latin1');
	const found = signatures.find(([letters, at]) => text.startsWith(letters, at));
	if (found === undefined) return;
	throw new EarshotError(
		'invalid_request',
		`Expected standard input to be PCM without a header, got a ${found[2]} file; to transcribe it: ${earshot('transcribe -')}`,
	);
}
