// Every source file with the first sentence of the comment that it begins with.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { code, root, table } from './pages.mjs';

/** The comment at the top of a source file, behind an interpreter line; undefined where it has none. */
const comments = {
	ts: (text) => /^(?:#!.*\n)?\/\*\*([\s\S]*?)\*\//.exec(text)?.[1].replaceAll(/^\s*\*/gm, ''),
	h: (text) => /^((?:\/\/.*\n)+)/.exec(text)?.[1].replaceAll(/^\/\//gm, ''),
};

/** Its first sentence in one line, fit for a cell of a table. */
function firstSentence(comment) {
	const line = comment.trim().replaceAll(/\s+/g, ' ');
	const [sentence] = /^.*?(?<!e\.g|i\.e|etc)\.(?=\s|$)/.exec(line) ?? [line];
	return sentence.replaceAll('|', '\\|');
}

/** A table for each folder. Throws where a file does not say what it is. */
function filesOf(top, ending) {
	const files = readdirSync(join(root, top), { recursive: true, encoding: 'utf8' })
		.map((name) => name.replaceAll('\\', '/'))
		.filter((name) => name.endsWith(`.${ending}`) && !name.endsWith('.d.ts'))
		.sort();
	return [...new Set(files.map((name) => dirname(name)))].sort().map((folder) => {
		const names = files.filter((name) => dirname(name) === folder);
		const rows = names.map((name) => {
			const comment = comments[ending](readFileSync(join(root, top, name), 'utf8'));
			if (comment === undefined) throw new Error(`${top}/${name} does not begin with what it is`);
			return [code(name.split('/').at(-1)), firstSentence(comment)];
		});
		const title = folder === '.' ? top : `${top}/${folder}`;
		return `### ${code(title)}\n\n${table(['file', 'what it is'], rows)}`;
	});
}

export function sourceFiles() {
	return filesOf('src', 'ts').join('\n\n');
}

export function nativeFiles() {
	return filesOf('native', 'h').join('\n\n');
}
