/** The imports of a folder of TypeScript, read from its text. */

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

export interface Import {
	/** Relative to the folder, with `/`. */
	readonly from: string;
	/** A path inside the folder, or the name of a package. */
	readonly to: string;
	readonly typeOnly: boolean;
}

export interface SourceFile {
	/** Relative to the folder, with `/`. */
	readonly path: string;
	readonly text: string;
	/** Without comments. */
	readonly code: string;
}

export interface Graph {
	readonly files: readonly SourceFile[];
	readonly imports: readonly Import[];
}

export function readGraph(folder: string): Graph {
	const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
		.filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
		.map((name) => {
			const text = readFileSync(path.join(folder, name), 'utf8');
			return { path: name.replaceAll('\\', '/'), text, code: withoutComments(text) };
		});
	return { files, imports: files.flatMap(importsOf) };
}

/** Files that `start` imports, itself included, and what those import: by value, for types, or when they run. */
export function closureOf({ imports }: Pick<Graph, 'imports'>, start: string): ReadonlySet<string> {
	const found = new Set([start]);
	for (const file of found) for (const { from, to } of imports) if (from === file) found.add(to);
	return found;
}

/** `@koa/router` of `@koa/router/types.js`. */
export function packageOf(name: string): string {
	return /^(@[^/]+\/)?[^/]+/.exec(name)?.[0] ?? name;
}

function withoutComments(code: string): string {
	return code.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
}

export function importsOf({ path: from, code }: Pick<SourceFile, 'path' | 'code'>): Import[] {
	const statements = code.matchAll(/^(?:import|export)\s+(type\s)?([^;'"]*?from\s+)?['"]([^'"]+)['"]/gm);
	const calls = code.matchAll(/\b(?:import|require)\(\s*['"`]([^'"`]+)['"`]/g);
	return [
		...[...statements].map(([, type, names = '', to = '']) => ({
			from,
			to: resolved(from, to),
			typeOnly: type !== undefined || namesTypesOnly(names),
		})),
		...[...calls].map(([, to = '']) => ({ from, to: resolved(from, to), typeOnly: false })),
	];
}

/** `{ type A, type B }` */
function namesTypesOnly(names: string): boolean {
	const list = /^\{([\s\S]*)\}/.exec(names.trim())?.[1];
	return list?.split(',').every((name) => /^\s*(type\s.*)?$/.test(name)) ?? false;
}

function resolved(from: string, to: string): string {
	if (!to.startsWith('.')) return to;
	return path.posix.join(path.posix.dirname(from), to).replace(/\.js$/, '.ts');
}
