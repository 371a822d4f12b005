// Fetches Whisper tiny.en, so that a checkout transcribes English from its first minute. Run by scripts/setup.mjs.
//
//   node scripts/model.mjs           into the user's model folder and models.yaml, once for each checkout, and only
//                                    if no model except the bundled digits is installed
//   node scripts/model.mjs --test    into build/models, for the tests
//
// Without a network it reports that and exits with 0: digits are served, and the next run tries again.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { argv, execPath, stderr } from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const id = 'whisper-tiny.en';
const say = (line) => stderr.write(`setup: ${line}\n`);
const dist = (...path) => import(pathToFileURL(join(root, 'dist', ...path)).href);

/** Pulls the model, with a progress bar on a terminal. Returns whether it is installed afterwards. */
function pull(flags) {
	const command = [join(root, 'dist', 'cli', 'main.js'), 'pull', id, ...flags];
	return spawnSync(execPath, command, { stdio: ['ignore', 2, 2] }).status === 0;
}

function fetchForTests() {
	const folder = join(root, 'build', 'models');
	if (existsSync(join(folder, id, 'ggml-tiny.en.bin'))) return;
	say(`fetching ${id} for the tests (78 MB)`);
	if (!pull(['--model-dir', folder, '--config', join(folder, 'models.yaml')]))
		say(`${id} could not be fetched: tests on real speech are skipped`);
}

async function fetchForUser() {
	// A model that the user has removed is not installed again.
	const stamp = join(root, 'build', 'model.stamp');
	if (existsSync(stamp)) return;
	if (await servesDigitsOnly()) {
		say(`fetching ${id} (78 MB), which transcribes English`);
		if (!pull([])) {
			say(
				`${id} could not be fetched: the bundled model is served, which recognizes only the ten English digits`,
			);
			return;
		}
	}
	mkdirSync(dirname(stamp), { recursive: true });
	writeFileSync(stamp, '');
}

async function servesDigitsOnly() {
	const { loadRegistry } = await dist('models', 'registry', 'registry.js');
	const { demoId } = await dist('models', 'registry', 'demo.js');
	try {
		return loadRegistry({}, root).defaultModel === demoId;
	} catch {
		// There is a mistake in models.yaml, which the server reports.
		return false;
	}
}

if (argv.includes('--test')) fetchForTests();
else await fetchForUser();
