/** Parses the pages of the documentation: code blocks, inline code, links and headings. */

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../..', import.meta.url));

export interface Block {
	/** Path of the page from the root of the checkout. */
	readonly page: string;
	readonly language: string;
	readonly text: string;
}

export interface Page {
	readonly path: string;
	/** Without code blocks. */
	readonly prose: string;
	readonly blocks: readonly Block[];
}

const fence = /^```(\w*)\n([\s\S]*?)^```$/gm;

export function readPage(file: string): Page {
	const text = readFileSync(path.join(root, file), 'utf8');
	const blocks = [...text.matchAll(fence)].map(([, language = '', code = '']) => ({
		page: file,
		language,
		text: code,
	}));
	return { path: file, prose: text.replace(fence, ''), blocks };
}

export function readPages(): readonly Page[] {
	const docs = readdirSync(path.join(root, 'docs'), { recursive: true, encoding: 'utf8' });
	const files = docs
		.filter((name) => name.endsWith('.md'))
		.map((name) => `docs/${name.replaceAll('\\', '/')}`);
	return ['README.md', 'CONTRIBUTING.md', ...files].map(readPage);
}

/** Texts between single backticks. */
export function inlineCode({ prose }: Page): readonly string[] {
	return [...prose.matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code);
}

/** Targets of links. */
export function linksIn({ prose }: Page): readonly string[] {
	return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
}

/** The anchor that GitHub generates for a heading. */
export function anchorsIn({ prose }: Page): readonly string[] {
	return [...prose.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
		heading
			.toLowerCase()
			.replaceAll(/[^\w\s-]/g, '')
			.replaceAll(' ', '-'),
	);
}

/** The simple commands of a shell script, as words, without quotes and comments. */
export function shellCommands(script: string): readonly (readonly string[])[] {
	return script
		.replaceAll(/\\\n\s*/g, ' ')
		.split('\n')
		.flatMap((line) => splitLine(line))
		.filter((words) => words.length > 0);
}

function splitLine(line: string): string[][] {
	const commands: string[][] = [[]];
	// Where the output goes is the shell's.
	const command = line.replaceAll(/ > [^\s#]+/g, '');
	for (const [, word = ''] of command.matchAll(/((?:"[^"]*"|'[^']*'|[^\s"'])+)/g)) {
		if (word.startsWith('#')) break;
		if (['&&', '||', '|', ';'].includes(word)) commands.push([]);
		else commands.at(-1)?.push(word.replaceAll(/"([^"]*)"|'([^']*)'/g, '$1$2'));
	}
	return commands;
}
