/** Defines the commands for the catalog and the models on this machine. */

import type { Command } from 'commander';
import { namesOf } from '../../core/config/scopes.js';
import type { SettingName } from '../../core/config/settings.js';
import type { ListForm } from '../ui/table.js';
import { asJson, flagsOf, settingOptions, text } from './options.js';

const storeSettings = namesOf('store');

export function addModelCommands(earshot: Command): void {
	const browse = () => import('../commands/models.js');
	const install = () => import('../commands/install.js');
	const command = (usage: string, description: string, names: readonly SettingName[] = storeSettings) =>
		settingOptions(earshot.command(usage).description(description), names);
	command('search [word...]', 'list models that can be pulled: by name, language, licence, …')
		.option(...asJson)
		.option('-q, --quiet', 'print only their ids')
		.action(async (words: string[], options: Record<string, unknown>) =>
			(await browse()).searchModels(words, flagsOf(options), listForm(options)),
		);
	command('list', 'list the models on this machine', [...storeSettings, 'defaultModel'])
		.alias('models')
		.option(...asJson)
		.option('-q, --quiet', 'print only their ids')
		.action(async (options: Record<string, unknown>) =>
			(await import('../commands/list.js')).printModels(flagsOf(options), listForm(options)),
		);
	command('show <model>', 'show the details of one model')
		.option(...asJson)
		.action(async (id: string, options: Record<string, unknown>) =>
			(await browse()).showModel(id, flagsOf(options), options.json === true),
		);
	command('pull <model...>', 'download models and add them to models.yaml', namesOf('store', 'fetch'))
		.option('--accept-license', 'accept a licence that is not open source')
		.option('--repin', 'accept files that differ from those of the first pull')
		.option('--alias <NAMES>', 'comma-separated aliases for it')
		.action(async (ids: string[], options: Record<string, unknown>) =>
			(await install()).pullModels(ids, {
				flags: flagsOf(options),
				acceptLicence: options.acceptLicense === true,
				repin: options.repin === true,
				aliases: namesIn(options.alias),
			}),
		);
	command('add <path>', 'add a model already on this machine to models.yaml; its files stay where they are')
		.option('--id <ID>', 'its id (default: the name of the file or folder)')
		.option('--type <TYPE>', 'its type, if it cannot be identified from the files')
		.option('--alias <NAMES>', 'comma-separated aliases for it')
		.action(async (target: string, options: Record<string, unknown>) =>
			(await install()).addModel(target, {
				flags: flagsOf(options),
				id: text(options.id),
				type: text(options.type),
				aliases: namesIn(options.alias),
			}),
		);
	command('verify [model...]', 'check every byte of the models that were pulled')
		.option(...asJson)
		.action(async (ids: string[], options: Record<string, unknown>) =>
			(await install()).verifyModels(ids, flagsOf(options), options.json === true),
		);
	command('rm <model...>', 'remove models').action(async (ids: string[], options: Record<string, unknown>) =>
		(await install()).removeModels(ids, flagsOf(options)),
	);
}

function listForm({ json, quiet }: Record<string, unknown>): ListForm {
	return json === true ? 'json' : quiet === true ? 'ids' : 'table';
}

function namesIn(value: unknown): readonly string[] {
	return (text(value) ?? '').split(',').flatMap((name) => (name.trim() === '' ? [] : [name.trim()]));
}
