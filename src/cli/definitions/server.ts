/** Defines `earshot serve`, and the commands that ask a running server. */

import type { Command } from 'commander';
import { type SettingName, settingNames } from '../../config/settings.js';
import { asJson, flagsOf, settingOptions } from './options.js';

export function addServe(earshot: Command, version: string): void {
	settingOptions(
		earshot
			.command('serve')
			.description('serve the API, by default on http://127.0.0.1:8080/v1')
			.option('--addr <HOST:PORT>', 'address and port in one; or a port alone, or unix:/path of a socket'),
		// Servers do not reach each other.
		settingNames.filter((name) => name !== 'advertise'),
	).action(async (options: Record<string, unknown>) => {
		// Commands are imported when they run, which keeps --help quick.
		const { serve } = await import('../commands/serve.js');
		await serve(flagsOf(options), version);
	});
}

/** Settings of a server that a worker has no use for. */
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
	'minUploadBytesPerSecond',
	'noWorker',
];

export function addWorker(earshot: Command, version: string): void {
	settingOptions(
		earshot.command('worker').description('run models for servers on other machines, which share a queue'),
		settingNames.filter((name) => !serverOnly.includes(name)),
	).action(async (options: Record<string, unknown>) => {
		const { worker } = await import('../commands/worker.js');
		await worker(flagsOf(options), version);
	});
}

/** Commands for the models in a running server's memory. */
export function addServerCommands(earshot: Command): void {
	const command = (usage: string, description: string) =>
		settingOptions(
			earshot
				.command(usage)
				.description(description)
				.option(
					'--addr <HOST:PORT>',
					'address and port of the server; or a port alone, or unix:/path of a socket',
				),
			['host', 'port', 'apiKeys', 'config'],
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
