// The command, as its own `--help` describes it.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root } from './pages.mjs';

/** What `earshot ARGS --help` prints. */
function help(...args) {
	const { status, stdout, stderr } = spawnSync(
		process.execPath,
		[join(root, 'dist', 'cli', 'main.js'), ...args, '--help'],
		{ encoding: 'utf8', env: { ...process.env, COLUMNS: '110', NO_COLOR: '1' } },
	);
	if (status !== 0) throw new Error(`earshot ${args.join(' ')} --help failed: ${stderr}`);
	return stdout.trimEnd();
}

/** Names of the commands, in the order of the help. */
const names = (text) => [...text.matchAll(/^ {2}(\w+)(?:\|\w+)? .*$/gm)].map(([, name]) => name);

const afterCommands = (text) => text.slice(text.indexOf('\nCommands:'));

/** One heading for each command, with its help. */
export function commands() {
	const all = names(afterCommands(help())).filter((name) => name !== 'help');
	if (all.length < 5) throw new Error('the help of earshot lists no commands');
	return all.map((name) => `### earshot ${name}\n\n\`\`\`text\n${help(name)}\n\`\`\``).join('\n\n');
}
