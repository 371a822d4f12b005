// Attacks a started server, its files, its processes and the library, and prints what held. Exit code 1 if something did not.
//
//   npm run attack                 everything, in under two minutes
//   npm run attack -- budget keys  the attacks of these files
//
// Each file of http/, files/ and processes/ is one attack: it exports `attack`, which gets the running server and reports
// by `check(what, held, seen)`. A fault that is known and not mended yet is reported by `check.known(fault, …)`: it is
// printed as WAITS and does not fail the run.
import { readdirSync } from 'node:fs';
import process, { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import { startServer } from './lib/server.mjs';

const folders = ['http', 'files', 'processes'];
const wanted = argv.slice(2);

const attacks = folders.flatMap((folder) =>
	readdirSync(fileURLToPath(new URL(folder, import.meta.url)))
		.filter((file) => file.endsWith('.mjs'))
		.sort()
		.map((file) => ({
			name: file.slice(0, -'.mjs'.length),
			url: new URL(`${folder}/${file}`, import.meta.url),
		})),
);
const unknown = wanted.filter((name) => !attacks.some((each) => each.name === name));
if (unknown.length > 0) {
	process.stderr.write(
		`There is no attack ${unknown.join(', ')}; there are ${attacks.map(({ name }) => name).join(', ')}\n`,
	);
	process.exit(2);
}

const counts = { held: 0, fell: 0, waits: 0 };
const say = (line) => process.stdout.write(`${line}\n`);

/** What one attack reports with. */
function reporterOf(name) {
	const report = (outcome, what, seen) => {
		counts[outcome]++;
		const word = { held: 'held ', fell: 'FELL ', waits: 'WAITS' }[outcome];
		say(`${word} ${name}: ${what}${outcome === 'held' ? '' : `; seen: ${shown(seen)}`}`);
	};
	const check = (what, held, seen = held) => report(held ? 'held' : 'fell', what, seen);
	/** `fault`: where it is written down. */
	check.known = (fault, what, held, seen = held) =>
		report(
			held ? 'held' : 'waits',
			held ? `${what} (the mark of ${fault} may go)` : `${what} (${fault})`,
			seen,
		);
	return check;
}

function shown(seen) {
	const text = typeof seen === 'string' ? seen : (JSON.stringify(seen) ?? String(seen));
	return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}

const startedMs = performance.now();
let server = await startServer();
for (const { name, url } of attacks) {
	if (wanted.length > 0 && !wanted.includes(name)) continue;
	const check = reporterOf(name);
	const { attack } = await import(url.href);
	try {
		await attack({ server, check });
	} catch (thrown) {
		check('runs to its end', false, thrown instanceof Error ? (thrown.stack ?? thrown.message) : thrown);
	}
	const alive = await server.answers();
	if (alive) continue;
	check('leaves the server alive', false, server.logTail());
	await server.stop();
	server = await startServer();
}
await server.stop();
const seconds = Math.round((performance.now() - startedMs) / 1000);
say(`${counts.held} held, ${counts.fell} fell, ${counts.waits} wait, in ${seconds} s`);
process.exit(counts.fell > 0 ? 1 : 0);
