// A server of this checkout's dist/ on a free port, with the test models, in a home of its own.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');
const generated = path.join(root, 'fixtures', 'generated');
const manifest = JSON.parse(readFileSync(path.join(generated, 'manifest.json'), 'utf8'));

export const recordingPath = (name) => path.join(generated, 'audio', `${name}.wav`);
export const recording = (name) => readFileSync(recordingPath(name));

/** Whether `holds` becomes true in that time. */
export async function until(holds, timeoutMs = 10_000) {
	for (let waited = 0; waited < timeoutMs; waited += 50) {
		if (await holds()) return true;
		await new Promise((resolve) => setTimeout(resolve, 50));
	}
	return false;
}

/** A models.yaml of these test models, and of `more` entries by id. */
export function modelsYaml(names, more = {}) {
	const all = [...manifest.models, ...manifest.troubled];
	const entries = names.map((name) => {
		const found = all.find((model) => model.name === name);
		if (!found) throw new Error(`there is no test model ${name}`);
		return [name, { type: found.type, files: found.files, options: found.options }];
	});
	return JSON.stringify({
		default_model: names[0],
		model_dir: generated,
		vad_model: path.join(generated, 'vad', 'loudness.onnx'),
		num_threads: 2,
		models: { ...Object.fromEntries(entries), ...more },
	});
}

export const usualModels = ['zipformer_ctc', 'slow', 'crash_on_e'];

/**
 * Starts a server. `flags`: further ones; `env`: further variables; `yaml`: its models.yaml. Rejects with what it has said if
 * it ends instead.
 */
export async function startServer({ flags = [], env = {}, yaml = modelsYaml(usualModels) } = {}) {
	const home = mkdtempSync(path.join(tmpdir(), 'earshot-attack-'));
	const temp = path.join(home, 'tmp');
	mkdirSync(temp);
	const config = path.join(home, 'models.yaml');
	writeFileSync(config, yaml);
	const child = spawn(
		process.execPath,
		[path.join(root, 'dist', 'cli', 'main.js'), 'serve', '--port', '0', '--config', config, ...flags],
		{
			env: { PATH: process.env.PATH, HOME: home, TMPDIR: temp, ...env },
			stdio: ['ignore', 'ignore', 'pipe'],
		},
	);
	let log = '';
	const ended = new Promise((resolve) => child.once('close', resolve));
	const port = await new Promise((resolve, reject) => {
		child.stderr.setEncoding('utf8').on('data', (text) => {
			log = (log + text).slice(-100_000);
			const found = /listens on http:\/\/\S+:(\d+)\/v1/.exec(log);
			if (found) resolve(Number(found[1]));
		});
		void ended.then(() => reject(new Error(log.trim())));
	}).catch((thrown) => {
		rmSync(home, { recursive: true, force: true });
		throw thrown;
	});
	const url = `http://127.0.0.1:${port}`;
	return {
		port,
		url,
		home,
		temp,
		child,
		ended,
		logTail: () => log.slice(-1000),
		async answers() {
			try {
				return (await fetch(`${url}/health`, { signal: AbortSignal.timeout(10_000) })).status === 200;
			} catch {
				return false;
			}
		},
		/** What the server has left for the commands of its own user. */
		token: () => readFileSync(path.join(home, '.local', 'state', 'earshot', `server-${port}.token`), 'utf8'),
		/** Model → what `/v1/ps` says of it. */
		async loaded() {
			const { data } = await (await fetch(`${url}/v1/ps`)).json();
			return Object.fromEntries(data.map((each) => [each.id, each]));
		},
		/** `signal`: SIGKILL keeps its folder for what comes after. */
		async stop() {
			child.kill('SIGTERM');
			const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
			await ended;
			clearTimeout(timer);
			rmSync(home, { recursive: true, force: true });
		},
	};
}
