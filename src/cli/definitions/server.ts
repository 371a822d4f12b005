/** Defines `earshot serve`, and the commands that are clients of a running server. */

import { Argument, type Command, Option } from 'commander';
import { type SettingName, settingNames } from '../../core/config/settings.js';
import { formatNames } from '../../formats/formats.js';
import { asJson, flagsOf, settingOptions, text } from './options.js';

const addressOption = [
	'--addr <HOST:PORT>',
	'address and port of the server; or a port alone, or unix:/path of a socket',
] as const;

export function addServe(earshot: Command, version: string): void {
	settingOptions(
		earshot
			.command('serve')
			.description('serve the API, by default on http://127.0.0.1:8080/v1')
			.option('--addr <HOST:PORT>', 'address and port in one; or a port alone, or unix:/path of a socket'),
		// Only workers are reached by others, so only they announce an address.
		settingNames.filter((name) => name !== 'advertise'),
	).action(async (options: Record<string, unknown>) => {
		// Commands are imported when they run, which keeps --help quick.
		const { serve } = await import('../commands/serve/serve.js');
		await serve(flagsOf(options), version);
	});
}

/** Settings of a server that do not apply to a worker. */
const serverOnly: readonly SettingName[] = [
	'apiKeys',
	'allowedHosts',
	'allowedOrigins',
	'autoPull',
	'livePartials',
	'maxLiveMinutes',
	'maxLiveSessions',
	'maxRequestSeconds',
	'maxUploadMb',
	'maxUploadsMb',
	'dedupeSeconds',
	'jobRetention',
	'jobsDir',
	'keepAudio',
	'maxJobs',
	'maxJobsMb',
	'maxJobsPerKey',
	'noWorker',
];

export function addWorker(earshot: Command, version: string): void {
	settingOptions(
		earshot.command('worker').description('run models for servers on other machines, which share a queue'),
		settingNames.filter((name) => !serverOnly.includes(name)),
	).action(async (options: Record<string, unknown>) => {
		const { worker } = await import('../commands/serve/worker.js');
		await worker(flagsOf(options), version);
	});
}

/** `earshot jobs`. */
export function addJobs(earshot: Command): void {
	settingOptions(
		earshot
			.command('jobs')
			.description('jobs of the running server: list, show JOB, wait JOB, cancel JOB…')
			.addArgument(new Argument('<action>').choices(jobActions))
			.argument('[job...]', 'their ids; finished jobs are deleted by cancel')
			.addOption(
				new Option(
					'-f, --format <FORMAT>',
					'with wait: output format (default: the format that the job was submitted with)',
				).choices(formatNames),
			)
			.option(...asJson)
			.option(...addressOption),
		['host', 'port', 'apiKeys', 'tlsCert', 'config'],
	).action(async (action: JobAction, ids: string[], options: Record<string, unknown>) => {
		const { jobs } = await import('../commands/jobs.js');
		const format = text(options.format);
		await jobs(action, ids, { flags: flagsOf(options), json: options.json === true, format });
	});
}

const jobActions = ['list', 'show', 'wait', 'cancel'] as const;

type JobAction = (typeof jobActions)[number];

/** Commands for the models in a running server's memory. */
export function addServerCommands(earshot: Command): void {
	const command = (usage: string, description: string) =>
		settingOptions(
			earshot
				.command(usage)
				.description(description)
				.option(...addressOption),
			['host', 'port', 'apiKeys', 'tlsCert', 'config'],
		);
	const loadedModels = () => import('../commands/ps.js');
	command('ps', 'list the models in memory of the running server')
		.option(...asJson)
		.action(async (options: Record<string, unknown>) =>
			(await loadedModels()).printLoadedModels(flagsOf(options), options.json === true),
		);
	command('load <model...>', 'load models in the running server before a request needs them').action(
		async (ids: string[], options: Record<string, unknown>) =>
			(await loadedModels()).loadModels(ids, flagsOf(options)),
	);
	command('unload <model...>', 'unload models in the running server to free their memory').action(
		async (ids: string[], options: Record<string, unknown>) =>
			(await loadedModels()).unloadModels(ids, flagsOf(options)),
	);
}
