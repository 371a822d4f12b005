#!/usr/bin/env node
/** Parses argv and runs the command. The only place that exits the process. */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Argument, Command, CommanderError, Option } from 'commander';
import { enterFolder } from '../command-line.js';
import { folderOfCaller } from '../config/environment.js';
import { namesOf } from '../config/scopes.js';
import { type SettingName, settingNames, settings, variableOf } from '../config/settings.js';
import { codeOf } from '../disk/disk.js';
import { asEarshotError } from '../errors.js';
import { formatNames } from '../formats/formats.js';
import { subtitlePresets } from '../formats/subtitles/options.js';
import { packageRoot } from '../paths.js';
import { channelModes } from '../speech/options.js';
import { splitAddress, usageError } from './ui/address.js';
import { type CompletedCommand, completionScript, shells, type Words } from './ui/completion.js';
import type { ListForm } from './ui/table.js';

const issues = 'https://github.com/earshot/earshot/issues';

type Flags = Partial<Record<SettingName, string>>;

const { version } = JSON.parse(readFileSync(path.join(packageRoot, 'package.json'), 'utf8')) as {
	version: string;
};

function settingOptions(command: Command, names: readonly SettingName[]): Command {
	for (const name of names) {
		const { flag, valueName, help, default: value, ...more } = settings[name];
		const shown = 'defaultText' in more ? more.defaultText : String(value);
		const form = 'isSwitch' in more ? `--${flag}` : `--${flag} <${valueName}>`;
		command.addOption(new Option(form, `${help} (default: ${shown}) [${variableOf(name)}]`));
	}
	return command;
}

function flagsOf(options: Record<string, unknown>): Flags {
	const flags: Flags = {};
	for (const name of settingNames) {
		// Commander names the value after the flag, which may lack the unit in the setting's name.
		const value = options[new Option(`--${settings[name].flag}`).attributeName()];
		if (typeof value === 'string') flags[name] = value;
		else if (value === true) flags[name] = 'true';
	}
	const { addr } = options;
	if (typeof addr === 'string') Object.assign(flags, splitAddress(addr));
	return flags;
}

/** Settings of commands that run models without a server. */
const modelSettings = namesOf('store', 'fetch', 'model');

function program(): Command {
	const earshot = new Command('earshot')
		.description(
			'Local speech-to-text: the OpenAI transcription API on your own machine. Nothing leaves it, nothing is downloaded unasked.',
		)
		.version(version)
		.showHelpAfterError('(for help: earshot --help)')
		.exitOverride();

	settingOptions(
		earshot
			.command('serve')
			.description('serve the API, by default on http://127.0.0.1:8080/v1')
			.option('--addr <HOST:PORT>', 'address and port in one; or a port alone, or unix:/path of a socket'),
		settingNames,
	).action(async (options: Record<string, unknown>) => {
		// Commands are imported when they run, which keeps --help quick.
		const { serve } = await import('./commands/serve.js');
		await serve(flagsOf(options), version);
	});

	addTranscribe(earshot);
	addModelCommands(earshot);
	addServerCommands(earshot);
	addVoices(earshot);
	addOtherCommands(earshot);
	return earshot;
}

/** Commands about this machine. */
function addOtherCommands(earshot: Command): void {
	settingOptions(
		earshot
			.command('doctor')
			.description('show what is installed, what is missing and how to get it')
			.option(...asJson),
		modelSettings,
	).action(async (options: Record<string, unknown>) => {
		const { doctor } = await import('./commands/doctor.js');
		doctor({ flags: flagsOf(options), json: options.json === true }, version);
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

function addVoices(earshot: Command): void {
	settingOptions(
		earshot
			.command('voices')
			.description('voices that are known: add NAME FILE…, list, rm NAME…')
			.addArgument(new Argument('<action>').choices(['add', 'list', 'rm'] as const))
			.argument('[name...]', 'add: a name, then recordings of that person alone; rm: names')
			.option(...asJson),
		modelSettings,
	).action(async (action: 'add' | 'list' | 'rm', given: string[], options: Record<string, unknown>) => {
		const { voices } = await import('./commands/voices.js');
		await voices(action, given, { flags: flagsOf(options), json: options.json === true });
	});
}

/** Every command that lists something has it. */
const asJson = ['--json', 'print JSON'] as const;

/** What a shell needs to know of a command. */
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

/** `name`: of an argument or of an option's value, as the help has it. */
function wordsOf(name: string, choices: readonly string[] | undefined, command: string): Words {
	if (choices !== undefined) return { kind: 'list', values: choices };
	if (/^(file|path)$/i.test(name)) return { kind: 'files' };
	if (name === 'DIR') return { kind: 'folders' };
	if (name === 'model') return { kind: ['pull', 'show'].includes(command) ? 'catalog' : 'models' };
	return { kind: /^IDS?$/.test(name) ? 'models' : 'any' };
}

function addTranscribe(earshot: Command): void {
	settingOptions(
		earshot
			.command('transcribe')
			.description('transcribe files, to standard output or to a folder')
			.argument('<file...>', 'recordings in any container, folders with --recursive, or - for standard input')
			.option('-m, --model <ID>', 'model in models.yaml (default: the default model)')
			.addOption(new Option('-f, --format <FORMAT>', 'output format').choices(formatNames).default('text'))
			.option('-o, --output-dir <DIR>', 'write one file per recording to this folder')
			.option('--force', 'overwrite transcripts that are in that folder')
			.option('-r, --recursive', 'transcribe the recordings in folders and in those below')
			.option('--no-names', 'print no names before the transcripts of several recordings')
			.option(
				'-l, --language <NAME>',
				'spoken language: en, english, … (default: detected, if the model can)',
			)
			.option('--translate', 'translate to English')
			.option('--prompt <TEXT>', 'text before the recording, as a hint for style and names')
			.option('--temperature <T>', 'sampling temperature, 0 to 1')
			.option('--words', 'with verbose_json: include word timestamps')
			.option('--speakers', 'tell who speaks; needs the models of `earshot pull diarization`')
			.option('--num-speakers <N>', 'with --speakers: how many people speak')
			.option('--min-speakers <N>', 'with --speakers: at least so many')
			.option('--max-speakers <N>', 'with --speakers: at most so many')
			.addOption(
				new Option(
					'--subtitles <PRESET>',
					'with srt and vtt: cut as television does, 2 lines of 42 columns, at most 7 s',
				).choices(subtitlePresets),
			)
			.option('--max-line-width <N>', 'with srt and vtt: columns of a line')
			.option(
				'--max-line-count <N>',
				'with srt and vtt: lines of a cue; needs --max-line-width, --max-words-per-line or --subtitles',
			)
			.option('--max-words-per-line <N>', 'with srt and vtt: words of a line')
			.option('--highlight-words', 'with srt and vtt: underline each word as it is spoken')
			.addOption(
				new Option('--channels <MODE>', 'transcribe all channels as one, or each by itself')
					.choices(channelModes)
					.default('mix'),
			),
		[...modelSettings, 'autoPull'],
	).action(async (files: string[], options: Record<string, unknown>) => {
		const { transcribeFiles } = await import('./commands/transcribe.js');
		await transcribeFiles(files, {
			flags: flagsOf(options),
			model: text(options.model),
			format: formatNames.find((name) => name === options.format) ?? 'text',
			outputDir: text(options.outputDir),
			force: options.force === true,
			recursive: options.recursive === true,
			names: options.names !== false,
			language: text(options.language),
			translate: options.translate === true,
			prompt: text(options.prompt),
			temperature: text(options.temperature),
			words: options.words === true,
			speakers: options.speakers === true || options.format === 'diarized_json',
			counts: options,
			subtitles: options,
			channels: channelModes.find((mode) => mode === options.channels) ?? 'mix',
		});
	});
}

const storeSettings = namesOf('store');

/** Commands for the catalog and the models on this machine. */
function addModelCommands(earshot: Command): void {
	const browse = () => import('./commands/models.js');
	const install = () => import('./commands/install.js');
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
			(await import('./commands/list.js')).printModels(flagsOf(options), listForm(options)),
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

/** Commands for the models in a running server's memory. */
function addServerCommands(earshot: Command): void {
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
	const loadedModels = () => import('./commands/ps.js');
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

function listForm({ json, quiet }: Record<string, unknown>): ListForm {
	return json === true ? 'json' : quiet === true ? 'ids' : 'table';
}

function namesIn(value: unknown): readonly string[] {
	return (text(value) ?? '').split(',').flatMap((name) => (name.trim() === '' ? [] : [name.trim()]));
}

function text(value: unknown): string | undefined {
	return typeof value === 'string' ? value : undefined;
}

/** `earshot list | head -1` closes standard output early, which is no failure. Other errors of it are: a full disk. */
function endWithOutput(error: Error): void {
	if (codeOf(error) === 'EPIPE') process.exit(0);
	process.stderr.write(`earshot: standard output: ${error.message}\n`);
	process.exit(1);
}

async function main(): Promise<number> {
	process.stdout.on('error', endWithOutput);
	// Nobody is left to tell.
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
// When what was printed is written; an error of that comes first, as an event.
await new Promise<void>((resolve) => process.stdout.write('', () => resolve()));
process.exit(exitCode);
