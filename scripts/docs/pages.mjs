// The pages of the documentation, and the little that all generated parts share.
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Paths of all pages. */
export function pages() {
	const docs = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
		.filter((name) => name.endsWith('.md'))
		.sort();
	return [
		join(root, 'README.md'),
		join(root, 'CONTRIBUTING.md'),
		...docs.map((name) => join(root, 'docs', name)),
	];
}

const row = (cells) => `| ${cells.join(' | ')} |`;

/** A Markdown table. Cells must not hold a bare `|`. */
export function table(head, rows) {
	return [row(head), row(head.map(() => '---')).replaceAll(' ', ''), ...rows.map(row)].join('\n');
}

export const code = (text) => `\`${text}\``;

export const codes = (texts) => texts.map(code).join(', ');
