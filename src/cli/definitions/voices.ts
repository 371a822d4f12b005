/** Defines `earshot voices`. */

import { Argument, type Command } from 'commander';
import { asJson, flagsOf, modelSettings, settingOptions } from './options.js';

export function addVoices(earshot: Command): void {
	settingOptions(
		earshot
			.command('voices')
			.description('enrolled voices: add NAME FILE…, list, rm NAME…')
			.addArgument(new Argument('<action>').choices(['add', 'list', 'rm'] as const))
			.argument('[name...]', 'add: a name, then recordings of that person alone; rm: names')
			.option(...asJson),
		modelSettings,
	).action(async (action: 'add' | 'list' | 'rm', given: string[], options: Record<string, unknown>) => {
		const { voices } = await import('../commands/voices.js');
		await voices(action, given, { flags: flagsOf(options), json: options.json === true });
	});
}
