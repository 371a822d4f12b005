#!/usr/bin/env node
/** Parses argv and runs the command. The only place that exits the process. */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Command, CommanderError } from 'commander';
import { enterFolder } from '../core/command-line.js';
import { folderOfCaller } from '../core/config/environment.js';
import { asEarshotError, codeOf } from '../core/errors.js';
import { packageRoot } from '../core/paths.js';
import { addListen } from './definitions/listen.js';
import { addModelCommands } from './definitions/models.js';
import { usageError } from './definitions/options.js';
import { addProgramCommands } from './definitions/program.js';
import { addJobs, addServe, addServerCommands, addWorker } from './definitions/server.js';
import { addTranscribe } from './definitions/transcribe.js';
import { addVoices } from './definitions/voices.js';

const issues = 'https://github.com/earshot/earshot/issues';

const { version } = JSON.parse(readFileSync(path.join(packageRoot, 'package.json'), 'utf8')) as {
	version: string;
};

function program(): Command {
	const earshot = new Command('earshot')
		.description(
			'Local speech-to-text: the OpenAI transcription API on your own machine. Nothing leaves it, nothing is downloaded unasked.',
		)
		.version(version)
		.showHelpAfterError('(for help: earshot --help)')
		.exitOverride();
	addServe(earshot, version);
	addWorker(earshot, version);
	addTranscribe(earshot);
	addListen(earshot);
	addModelCommands(earshot);
	addJobs(earshot);
	addServerCommands(earshot);
	addVoices(earshot);
	addProgramCommands(earshot, version);
	return earshot;
}

/** A closed standard output, as in `earshot list | head -1`, is not a failure; other errors of it are, such as a full
 * disk. */
function endWithOutput(error: Error): void {
	if (codeOf(error) === 'EPIPE') process.exit(0);
	process.stderr.write(`earshot: standard output: ${error.message}\n`);
	process.exit(1);
}

async function main(): Promise<number> {
	process.stdout.on('error', endWithOutput);
	// An error of standard error cannot be reported anywhere.
	process.stderr.on('error', () => {});
	try {
		enterFolder(folderOfCaller(packageRoot));
		await program().parseAsync(process.argv);
		return Number(process.exitCode ?? 0);
	} catch (thrown) {
		// Commander has already printed its message; help and version end here too, with exit code 0.
		if (thrown instanceof CommanderError && thrown.code !== 'earshot.address')
			return thrown.exitCode === 0 ? 0 : usageError;
		const error = thrown instanceof CommanderError ? thrown : asEarshotError(thrown);
		const isFault = 'code' in error && error.code === 'internal' && error.cause !== undefined;
		const fault = isFault ? ` (${String(error.cause)}). Please report it: ${issues}` : '';
		process.stderr.write(`earshot: ${error.message}${fault}\n`);
		return thrown instanceof CommanderError ? usageError : 1;
	}
}

const exitCode = await main();
// Waits until all output is written; an error of it is emitted before that.
await new Promise<void>((resolve) => process.stdout.write('', () => resolve()));
process.exit(exitCode);
