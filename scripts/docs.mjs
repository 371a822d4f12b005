// Writes the generated parts of README.md, CONTRIBUTING.md and docs/ from the tables in the code and its imports.
//
//   node scripts/docs.mjs            writes them
//   node scripts/docs.mjs --check    only says which pages are stale, and ends with 1 if any is
//
// A page names what it wants between two comments; everything between them is replaced:
//
//   <!-- generated: settings -->
//   <!-- end of settings -->
//
// Needs the compiled sources (node scripts/setup.mjs --compile).
import { readFileSync, writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import { argv, stderr, stdout } from 'node:process';
import { pages, root } from './docs/pages.mjs';
import { parts } from './docs/parts.mjs';

const used = new Set();
const marker = /<!-- generated: ([\w-]+) -->\n/g;

/** The page with every generated part renewed. Throws where a part is unknown or its end is missing. */
async function renewed(file, text) {
	let fresh = text;
	for (const [open, name] of text.matchAll(marker)) {
		const make = parts[name];
		if (make === undefined) throw new Error(`${file}: there is no generated part \`${name}\``);
		const from = fresh.indexOf(open) + open.length;
		const to = fresh.indexOf(`<!-- end of ${name} -->`, from);
		if (to < 0) throw new Error(`${file}: \`${name}\` has no end`);
		used.add(name);
		fresh = `${fresh.slice(0, from)}${await make()}\n${fresh.slice(to)}`;
	}
	return fresh;
}

const stale = [];
for (const file of pages()) {
	const text = readFileSync(file, 'utf8');
	const fresh = await renewed(relative(root, file), text);
	if (fresh === text) continue;
	stale.push(relative(root, file));
	if (!argv.includes('--check')) writeFileSync(file, fresh);
}
const unused = Object.keys(parts).filter((name) => !used.has(name));
if (unused.length > 0) throw new Error(`no page has the generated part ${unused.join(', ')}`);

if (stale.length === 0) stdout.write(`${used.size} generated parts are up to date.\n`);
else if (argv.includes('--check')) {
	stderr.write(`Stale: ${stale.join(', ')}. To renew: node scripts/docs.mjs\n`);
	process.exitCode = 1;
} else stdout.write(`Written: ${stale.join(', ')}.\n`);
