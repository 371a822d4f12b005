/** Reads values out of a YAML document; every mistake names file, line and field. */

import path from 'node:path';
import { isMap, isScalar, type LineCounter, type Node, type YAMLMap } from 'yaml';
import { Expectation } from '../../core/config/values.js';
import { EarshotError } from '../../core/errors.js';

/** Why an entry or an alias of models.yaml cannot be served. */
export interface Problem {
	/** Id of the entry, or the alias. */
	readonly id: string;
	/** Names file, line and field. */
	readonly message: string;
	/** The message for clients, without the path of the file. */
	readonly sentence: string;
}

export interface Pair {
	readonly key: string;
	readonly value: Node | null;
	readonly at: Node | null;
	/** Dotted path, for messages. */
	readonly field: string;
}

export class YamlReader {
	readonly problems: Problem[] = [];
	readonly warnings: string[] = [];
	readonly #file: string;
	readonly #lines: LineCounter;

	constructor(file: string, lines: LineCounter) {
		this.#file = file;
		this.#lines = lines;
	}

	line(node: Node | null): number {
		return this.#lines.linePos(node?.range?.[0] ?? 0).line;
	}

	warn(node: Node | null, what: string): void {
		this.warnings.push(`${this.#file}:${this.line(node)}: ${what}`);
	}

	refuse(node: Node | null, field: string, expected: string): EarshotError {
		const got = isScalar(node) ? `\`${String(node.value)}\`` : node === null ? 'nothing' : 'something else';
		return new EarshotError(
			'config_invalid',
			`${this.#file}:${this.line(node)}: Expected \`${field}\` to be ${expected}, got ${got}`,
			{
				param: field,
			},
		);
	}

	map(node: Node | null, field: string): YAMLMap {
		if (!isMap(node)) throw this.refuse(node, field, 'a map of keys and values');
		return node;
	}

	pairs(map: YAMLMap, prefix: string): Pair[] {
		const seen = new Set<string>();
		return map.items.map((item) => this.#pair(item, prefix, seen));
	}

	#pair(item: YAMLMap['items'][number], prefix: string, seen: Set<string>): Pair {
		const at = item.key as Node | null;
		const key = isScalar(at) ? String(at.value) : '';
		const field = prefix === '' ? key : `${prefix}.${key}`;
		if (key === '') throw this.refuse(at, field, 'a name');
		if (seen.has(key)) throw this.refuse(at, field, 'given once');
		seen.add(key);
		return { key, value: item.value as Node | null, at, field };
	}

	/** Like `pairs`, but a mistake in one pair does not affect the others. */
	each<T>(node: Node | null, prefix: string, read: (pair: Pair) => T): T[] {
		if (isNull(node)) return [];
		const seen = new Set<string>();
		return this.map(node, prefix).items.flatMap((item) => {
			try {
				return [read(this.#pair(item, prefix, seen))];
			} catch (thrown) {
				if (!(thrown instanceof EarshotError)) throw thrown;
				const id = isScalar(item.key) ? String(item.key.value) : '';
				this.problems.push(this.problem(id, thrown));
				return [];
			}
		});
	}

	problem(id: string, { message }: EarshotError): Problem {
		const [, line = '', why = message] = /^(\d+): (.*)$/s.exec(message.slice(this.#file.length + 1)) ?? [];
		return { id, message, sentence: `line ${line} of ${path.basename(this.#file)}: ${why}` };
	}

	/** A scalar or a list of scalars, in the form of a flag's value. */
	settingText(node: Node | null, field: string): string {
		const value = this.#json(node, field);
		if (Array.isArray(value)) return value.join(',');
		if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
			return String(value);
		throw this.refuse(node, field, 'a single value or a list');
	}

	/** Refuses YAML aliases that are undefined, or that expand without bound. */
	#json(node: Node | null, field: string): unknown {
		try {
			return node?.toJSON();
		} catch (thrown) {
			if (thrown instanceof ReferenceError) throw this.refuse(node, field, 'without such YAML aliases');
			throw thrown;
		}
	}

	/** Turns an Expectation into an error with the line of the value. */
	expecting<T>(node: Node | null, field: string, parse: () => T): T {
		try {
			return parse();
		} catch (thrown) {
			if (!(thrown instanceof Expectation)) throw thrown;
			throw this.refuse(node, field, thrown.message);
		}
	}

	text(node: Node | null, field: string): string {
		if (isScalar(node) && isText(node.value) && node.value !== '') return node.value;
		throw this.refuse(node, field, 'a text');
	}

	texts(node: Node | null, field: string): string[] | null {
		if (node === null) return null;
		const value = this.#json(node, field);
		if (Array.isArray(value) && value.every(isText)) return value;
		throw this.refuse(node, field, 'a list of texts');
	}
}

/** A text without NUL, which is never part of a path or name and makes system calls throw. */
function isText(value: unknown): value is string {
	return typeof value === 'string' && !value.includes('\0');
}

export function isNull(node: Node | null): boolean {
	return node === null || (isScalar(node) && node.value === null);
}
