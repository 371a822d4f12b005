// The command, as its own `--help` describes it.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { root } from './pages.mjs';

const run = promisify(execFile);

/** What `earshot ARGS --help` prints. */
async function help(...args) {
	const main = join(root, 'dist', 'cli', 'main.js');
	const { stdout } = await run(process.execPath, [main, ...args, '--help']);
	return stdout.trimEnd();
}

/** Names of the commands, in the order of the help. */
const names = (text) => [...text.matchAll(/^ {2}([\w-]+)(?:\|[\w-]+)? .*$/gm)].map(([, name]) => name);

const afterCommands = (text) => text.slice(text.indexOf('\nCommands:'));

/** One heading for each command, with its help. */
export async function commands() {
	const all = names(afterCommands(await help())).filter((name) => name !== 'help');
	if (all.length < 5) throw new Error('the help of earshot lists no commands');
	const sections = await Promise.all(
		all.map(async (name) => `### earshot ${name}\n\n\`\`\`text\n${await help(name)}\n\`\`\``),
	);
	return sections.join('\n\n');
}
