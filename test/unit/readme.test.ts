import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { settingNames, settings, variableOf } from '../../src/config/settings.js';
import { formatNames } from '../../src/formats/formats.js';
import { modelTypes } from '../../src/models/types/types.js';
import { fieldNames } from '../../src/server/request.js';

const readme = readFileSync(path.join(fileURLToPath(new URL('../..', import.meta.url)), 'README.md'), 'utf8');

it('the README has every setting, with its variable and default', () => {
	const rows = settingNames.map((name) => {
		const { flag, valueName, help, default: value, ...more } = settings[name];
		const shown = 'defaultText' in more ? more.defaultText : String(value);
		return `| \`--${flag} ${valueName}\` | \`${variableOf(name)}\` | ${help} | ${shown} |`;
	});
	expect(readme).toContain(rows.join('\n'));
});

it.each([...formatNames])('the README explains the format %s', (format) => {
	expect(readme).toContain(`\`${format}\``);
});

it.each([...fieldNames])('the README says what happens to the field %s', (field) => {
	expect(readme).toMatch(new RegExp(`\`${field}(\\[\\])?\``));
});

it.each([...modelTypes])('the README names the model type %s', (type) => {
	expect(readme).toContain(`\`${type}\``);
});

it('the README has every model of the catalog', () => {
	const script = fileURLToPath(new URL('../../scripts/readme-tables.mjs', import.meta.url));
	const { status, stderr } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' });
	expect([status, stderr]).toEqual([0, '']);
});
