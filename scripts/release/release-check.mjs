// Says whether a tag may be released, and prints its part of CHANGELOG.md.
//
//   node scripts/release/release-check.mjs v1.2.3
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { argv, exit, stderr, stdout } from 'node:process';
import { root } from '../build/download.mjs';

const read = (name) => readFileSync(join(root, name), 'utf8');
const tag = argv[2] ?? '';
const { version } = JSON.parse(read('package.json'));
const locked = JSON.parse(read('package-lock.json'));
const [, heading, notes] =
	new RegExp(
		`^## (${version.replaceAll('.', '\\.')}(?: .*)?)\\n([\\s\\S]*?)(?=^## |$(?![\\s\\S]))`,
		'm',
	).exec(read('CHANGELOG.md')) ?? [];

const faults = [];
if (tag !== `v${version}`) faults.push(`the tag is ${tag || 'not given'}, package.json says ${version}`);
if (locked.version !== version) faults.push(`package-lock.json says ${locked.version}`);
if (heading === undefined) faults.push(`CHANGELOG.md has no heading "## ${version}"`);
else if (/unreleased/i.test(heading)) faults.push(`CHANGELOG.md still calls ${version} unreleased`);
for (const fault of faults) stderr.write(`release: ${fault}\n`);
if (faults.length > 0) exit(1);
stdout.write(`${notes.trim()}\n`);
