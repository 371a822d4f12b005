/** Whatever the public types name is exported, too, and explained. */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { root } from '../../helpers/checks/docs.js';

const source = (file: string): string => readFileSync(path.join(root, 'src', file), 'utf8');

/** Name → file of all that index.ts exports. */
const exported = new Map(
	[...source('index.ts').matchAll(/export (?:type )?\{([^}]*)\} from '([^']+)\.js'/g)].flatMap(
		([, names = '', file = '']) =>
			names
				.split(',')
				.map((name) => name.replace(/\btype\b/, '').trim())
				.filter((name) => name !== '')
				.map((name) => [name, `${file}.ts`] as const),
	),
);

/** Its doc comment, and its declaration up to where it ends, without comments. */
function declarationOf(name: string, file: string): { isExplained: boolean; text: string } {
	const head = new RegExp(
		`(/\\*\\*(?:(?!\\*/)[\\s\\S])*\\*/\\s*)?^export (?:interface|type|class|(?:async )?function|const) ${name}\\b`,
		'm',
	);
	const found = head.exec(source(file));
	const rest = source(file).slice((found?.index ?? 0) + (found?.[1] ?? '').length);
	const end = /^export (?:async )?function/.test(rest) ? /\{\n/ : /^\}|;$/m;
	const body = rest.slice(
		0,
		/^export interface|^export class/.test(rest) ? rest.search(/^\}|\{\}$/m) : rest.search(end),
	);
	return { isExplained: found?.[1] !== undefined, text: body.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '') };
}

/** Of JavaScript, Node and TypeScript. */
const known =
	/^(Array(Buffer)?|AsyncDisposable|AsyncIterable|Awaited|Blob|Error|Extract|Float32Array|Partial|Pick|Promise|Omit|Readonly|Record|SharedArrayBuffer|Uint8Array|URL|AbortSignal|Iterable|ReadableStream)$/;

test('index.ts was read', () => {
	expect(exported.size).toBeGreaterThan(30);
	expect(declarationOf('ListenOptions', 'library/listen-options.ts').text).toContain('PcmEncoding');
});

test.each([...exported])('%s is explained, and names types that are exported', (name, file) => {
	const { isExplained, text } = declarationOf(name, file);
	const named = [...text.replace(/'[^']*'/g, '').matchAll(/\b[A-Z]\w+/g)].map(([each]) => each);
	expect(isExplained).toBe(true);
	expect(named.filter((each) => !exported.has(each) && !known.test(each))).toEqual([]);
});
