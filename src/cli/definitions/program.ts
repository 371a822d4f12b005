/** Defines the commands about this program itself. */

import { Argument, type Command } from 'commander';
import { settingNames, settings } from '../../core/config/settings.js';
import { type CompletedCommand, completionScript, shells, type Words } from '../ui/completion.js';
import { asJson, flagsOf, modelSettings, settingOptions } from './options.js';

export function addProgramCommands(earshot: Command, version: string): void {
	settingOptions(
		earshot
			.command('doctor')
			.description('show what is installed, what is missing and how to get it')
			.option(...asJson),
		[...modelSettings, 'queue', 'blobs'],
	).action(async (options: Record<string, unknown>) => {
		const { doctor } = await import('../commands/doctor.js');
		await doctor({ flags: flagsOf(options), json: options.json === true }, version);
	});
	earshot
		.command('completion')
		.description('print a script that completes commands, options and models in a shell')
		.addArgument(new Argument('<shell>', 'the shell').choices(shells))
		.action((given: string) => {
			const shell = shells.find((each) => each === given) ?? 'bash';
			process.stdout.write(completionScript(shell, earshot.commands.map(completedCommand)));
		});
}

/** A command as shell completion needs it. */
function completedCommand(command: Command): CompletedCommand {
	const name = command.name();
	const [argument] = command.registeredArguments;
	return {
		name,
		help: command.description(),
		words: argument ? wordsOf(argument.name(), argument.argChoices, name) : { kind: 'any' },
		options: command.options.map(({ long, short, flags, description, argChoices }) => {
			const setting = settingNames.find((each) => `--${settings[each].flag}` === long);
			const { parse } = setting === undefined ? { parse: undefined } : settings[setting];
			const choices = argChoices ?? (parse && 'choices' in parse ? parse.choices : undefined);
			const valueName = /<(.+)>/.exec(flags)?.[1];
			return {
				long: long ?? '',
				short,
				help: description.replace(/ \(default: .*$/, ''),
				value: valueName === undefined ? undefined : wordsOf(valueName, choices, name),
			};
		}),
	};
}

/** `name`: of an argument or an option's value, as shown in the help. */
function wordsOf(name: string, choices: readonly string[] | undefined, command: string): Words {
	if (choices !== undefined) return { kind: 'list', values: choices };
	if (/^(file|path)$/i.test(name)) return { kind: 'files' };
	if (name === 'DIR') return { kind: 'folders' };
	if (name === 'model') return { kind: ['pull', 'show'].includes(command) ? 'catalog' : 'models' };
	return { kind: /^IDS?$/.test(name) ? 'models' : 'any' };
}
