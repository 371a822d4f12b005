// Every source file with the first sentence of the comment that it begins with.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { code, root, table } from './pages.mjs';

/** The comment at the top of a source file, behind an interpreter line; undefined where it has none. */
const comments = {
	ts: (text) => /^(?:#!.*\n)?\/\*\*([\s\S]*?)\*\//.exec(text)?.[1].replaceAll(/^\s*\*/gm, ''),
	cpp: (text) => /^((?:\/\/.*\n)+)/.exec(text)?.[1].replaceAll(/^\/\//gm, ''),
};

/** Its first sentence in one line, fit for a cell of a table. */
function firstSentence(comment) {
	const line = comment.trim().replaceAll(/\s+/g, ' ');
	const [sentence] = /^.*?(?<!e\.g|i\.e|etc)\.(?=\s|$)/.exec(line) ?? [line];
	return sentence.replaceAll('|', '\\|');
}

/** Files below a folder, as paths from there. */
function allIn(top) {
	return readdirSync(join(root, top), { recursive: true, encoding: 'utf8' }).map((name) =>
		name.replaceAll('\\', '/'),
	);
}

/** A table for each folder. Throws where a file does not say what it is. */
function tablesOf(top, all, language) {
	const files = all.toSorted();
	return [...new Set(files.map((name) => dirname(name)))].sort().map((folder) => {
		const names = files.filter((name) => dirname(name) === folder);
		const rows = names.map((name) => {
			const comment = comments[language](readFileSync(join(root, top, name), 'utf8'));
			if (comment === undefined) throw new Error(`${top}/${name} does not begin with what it is`);
			return [code(name.split('/').at(-1)), firstSentence(comment)];
		});
		const title = folder === '.' ? top : `${top}/${folder}`;
		return `### ${code(title)}\n\n${table(['file', 'what it is'], rows)}`;
	});
}

export function sourceFiles() {
	const files = allIn('src').filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'));
	return tablesOf('src', files, 'ts').join('\n\n');
}

/** A `.cc` file is listed only where no header of the same name says what it holds. */
export function nativeFiles() {
	const all = new Set(allIn('native'));
	const files = [...all].filter(
		(name) => name.endsWith('.h') || (name.endsWith('.cc') && !all.has(name.replace(/cc$/, 'h'))),
	);
	return tablesOf('native', files, 'cpp').join('\n\n');
}
