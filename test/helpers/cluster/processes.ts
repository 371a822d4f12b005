/** Gateways and workers as processes, each with a home of its own, as on machines of their own. */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import { root } from '../fixtures.js';

export interface EarshotProcess {
	readonly process: ChildProcess;
	/** Where it is reached. */
	readonly url: string;
	/** Its standard error so far. */
	said(): string;
	end(signal: NodeJS.Signals): Promise<void>;
}

export interface EarshotMachine {
	readonly queueUrl: string;
	/** Holds the homes of all machines. */
	readonly folder: string;
	/** `--blobs`. */
	readonly blobs: string;
	readonly env?: Readonly<Record<string, string>>;
}

/** `command`: such as `serve`, with its own flags. Ended with the test. */
export async function startEarshot(
	command: readonly string[],
	{ queueUrl, folder, blobs, env }: EarshotMachine,
): Promise<EarshotProcess> {
	const home = mkdtempSync(path.join(folder, 'home-'));
	const places = ['--model-dir', path.join(home, 'models'), '--config', path.join(home, 'models.yaml')];
	const shared = ['--port', '0', '--blobs', blobs, '--log-level', 'warn'];
	const child = spawn(
		process.execPath,
		[path.join(root, 'dist/cli/main.js'), ...command, ...shared, ...places],
		{
			env: { PATH: process.env.PATH, ...env, EARSHOT_QUEUE: queueUrl, HOME: home },
			stdio: ['ignore', 'ignore', 'pipe'],
		},
	);
	let said = '';
	const end = async (signal: NodeJS.Signals): Promise<void> => {
		if (child.exitCode !== null || child.signalCode !== null) return;
		const ended = new Promise((resolve) => child.once('exit', resolve));
		child.kill(signal);
		await ended;
	};
	onTestFinished(() => end('SIGKILL'));
	const url = await new Promise<string>((resolve, reject) => {
		child.stderr.setEncoding('utf8').on('data', (piece: string) => {
			said += piece;
			const found = /(?:listens on|is reachable at) (http:\/\/[\w.:]+)/.exec(said)?.[1];
			if (found !== undefined) resolve(found);
		});
		child.once('exit', (code) => reject(new Error(`${command[0]} ended with ${code}: ${said}`)));
	});
	return { process: child, url, said: () => said, end };
}
