/** Shared by the definitions of commands: makes options from the settings table, and reads given options. */

import { type Command, CommanderError, Option } from 'commander';
import { addressParts } from '../../core/config/addresses.js';
import { namesOf } from '../../core/config/scopes.js';
import {
	type SettingName,
	type SettingTexts,
	settingNames,
	settings,
	variableOf,
} from '../../core/config/settings.js';

/** Exit code for wrong usage, as in most Unix tools. */
export const usageError = 2;

export function settingOptions(command: Command, names: readonly SettingName[]): Command {
	for (const name of names) command.addOption(optionOf(name));
	return command;
}

function optionOf(name: SettingName): Option {
	const { flag, valueName, help, default: value, ...more } = settings[name];
	const shown = 'defaultText' in more ? more.defaultText : String(value);
	const form = 'isSwitch' in more ? `--${flag}` : `--${flag} <${valueName}>`;
	const option = new Option(form, `${help} (default: ${shown}) [${variableOf(name)}]`);
	// Otherwise Commander would read `--no-speech-threshold` as the negation of `--speech-threshold`.
	option.negate = false;
	return option;
}

export function flagsOf(options: Record<string, unknown>): SettingTexts {
	const flags: SettingTexts = {};
	for (const name of settingNames) {
		// Commander names the value after the flag, which may lack the unit in the setting's name.
		const value = options[optionOf(name).attributeName()];
		if (typeof value === 'string') flags[name] = value;
		else if (value === true) flags[name] = 'true';
	}
	const { addr } = options;
	if (typeof addr === 'string') Object.assign(flags, partsOf(addr));
	return flags;
}

function partsOf(address: string): SettingTexts {
	const parts = addressParts(address);
	if (parts !== undefined) return parts;
	throw new CommanderError(
		usageError,
		'earshot.address',
		`Expected \`--addr\` to be HOST:PORT, PORT or unix:/path, got \`${address}\``,
	);
}

/** Settings of commands that run models without a server. */
export const modelSettings = namesOf('store', 'fetch', 'model');

/** The option of every command that prints a list. */
export const asJson = ['--json', 'print JSON'] as const;

export function text(value: unknown): string | undefined {
	return typeof value === 'string' ? value : undefined;
}
