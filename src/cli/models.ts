/** `earshot models`: what this machine serves. */

import { statSync } from 'node:fs';
import { demoNotice } from '../catalog/demo.js';
import { whatToServe } from '../catalog/serving.js';
import type { SettingName } from '../config.js';
import { packageRoot } from '../engines/native.js';

export function listModels(flags: Partial<Record<SettingName, string>>): void {
	const { entries, defaultModel, warnings, config } = whatToServe(flags, packageRoot);
	for (const warning of warnings) process.stderr.write(`warning: ${warning}\n`);
	const rows = entries.map((entry) => {
		const sizes = Object.values(entry.files).map((file) => statSync(file, { throwIfNoEntry: false })?.size);
		const missing = sizes.some((size) => size === undefined);
		const bytes = sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0);
		return [
			`${entry.id}${entry.id === defaultModel ? ' (default)' : ''}`,
			entry.type,
			missing ? 'files missing' : megabytes(bytes),
			entry.aliases.join(', '),
		];
	});
	process.stdout.write(table([['MODEL', 'TYPE', 'SIZE', 'ALSO KNOWN AS'], ...rows]));
	if (entries.length === 1)
		process.stderr.write(`\n${demoNotice}\nmodels.yaml is looked for at ${config.config}\n`);
}

function megabytes(bytes: number): string {
	return `${(bytes / 1e6).toFixed(1)} MB`;
}

export function table(rows: readonly (readonly string[])[]): string {
	const columns = Math.max(...rows.map((row) => row.length));
	const widths = Array.from({ length: columns }, (_, column) =>
		Math.max(...rows.map((row) => row[column]?.length ?? 0)),
	);
	return rows
		.map(
			(row) =>
				`${row
					.map((cell, column) => cell.padEnd(widths[column] ?? 0))
					.join('  ')
					.trimEnd()}\n`,
		)
		.join('');
}
