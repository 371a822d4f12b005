/** Text in columns, sizes, and JSON, as the commands print them. Pure. */

/** Left-aligned columns, two spaces apart; '' for no rows. */
export function table(rows: readonly (readonly string[])[]): string {
	const columns = Math.max(0, ...rows.map((row) => row.length));
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

/** `1234567` → `1.2 MB`; null → `?`. */
export function sizeText(bytes: number | null): string {
	if (bytes === null) return '?';
	return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(2)} GB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** For `--json`: one document, whose keys are in snake case as over HTTP. */
export function jsonText(value: unknown): string {
	return `${JSON.stringify(value, null, 2)}\n`;
}

/** How a command prints a list: `ids`, one on each line, for scripts and for completion. */
export type ListForm = 'table' | 'json' | 'ids';
