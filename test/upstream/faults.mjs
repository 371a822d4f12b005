/**
 * Shows the faults of whisper.cpp on the library as it is: what test/native/whisper/faults.test.ts says of ours.
 * usage: npm run faults
 */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process, { stdout } from 'node:process';
import { makeFixtures } from '../../fixtures/make-models.mjs';
import { buildPlain, root } from './build.mjs';

makeFixtures();
const { faults } = buildPlain();
const folder = mkdtempSync(join(tmpdir(), 'earshot-faults-'));
try {
	const shape = join(folder, 'tiny.bin');
	const made = spawnSync(process.execPath, [
		join(root, 'fixtures', 'make-shape.mjs'),
		...['--size', 'tiny', '--tokens', '20', '--out', shape],
	]);
	if (made.status !== 0) throw new Error(`make-shape.mjs: ${made.stderr}`);
	const shown = spawnSync(faults, [join(root, 'fixtures', 'generated'), shape, folder], { encoding: 'utf8' });
	for (const line of shown.stdout.trim().split('\n')) {
		const [fault, what] = line.split('\t');
		stdout.write(`${fault.padEnd(40)} ${what}\n`);
	}
	if (shown.status !== 0) throw new Error(`plain-faults ended with ${shown.status ?? shown.signal}`);
} finally {
	rmSync(folder, { recursive: true, force: true });
}
