/** Whether an answer of the server is as src/server/openapi.yaml describes it. */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { parse } from 'yaml';
import { isRecord } from '../../../src/core/is-record.js';
import { root } from '../fixtures.js';

export interface Answered {
	readonly method: string;
	/** Without the query. */
	readonly path: string;
	readonly status: number;
	readonly contentType: string;
	/** Of bodies of the type `application/json`. */
	readonly json: unknown;
}

type Tree = Readonly<Record<string, unknown>>;

const document = parse(readFileSync(path.join(root, 'src/server/openapi.yaml'), 'utf8')) as Tree;

const at = (tree: unknown, ...keys: string[]): unknown =>
	keys.reduce<unknown>((value, key) => (isRecord(value) ? value[key] : undefined), tree);

/** Follows `$ref` as long as there is one. */
function resolved(value: unknown): Tree {
	const reference = at(value, '$ref');
	if (typeof reference !== 'string') return isRecord(value) ? value : {};
	return resolved(at(document, ...reference.slice(2).split('/')));
}

/**
 * The schema, taking no fields but those that it names. `isPart`: of an `allOf`, whose other parts name further ones;
 * schemas that are parts are `#/parts/NAME`.
 */
function closed(schema: unknown, isPart: boolean): unknown {
	if (Array.isArray(schema)) return schema.map((each) => closed(each, false));
	if (!isRecord(schema)) return schema;
	const copy: Record<string, unknown> = {};
	for (const [key, value] of Object.entries(schema)) {
		if (key === '$ref') {
			copy[key] = String(value).replace('#/components/schemas/', isPart ? '#/parts/' : '#/schemas/');
		} else if (key === 'allOf') copy[key] = (value as unknown[]).map((each) => closed(each, true));
		else if (key === 'properties')
			copy[key] = Object.fromEntries(
				Object.entries(value as Tree).map(([name, each]) => [name, closed(each, false)]),
			);
		else if (!['example', 'default', 'enum', 'const'].includes(key)) copy[key] = closed(value, false);
		else copy[key] = value;
	}
	const isOpen = isPart || 'additionalProperties' in copy;
	if (!isOpen && ('properties' in copy || 'allOf' in copy)) copy.unevaluatedProperties = false;
	return copy;
}

const schemas = at(document, 'components', 'schemas') as Tree;
const all = (isPart: boolean) =>
	Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, closed(schema, isPart)]));

const ajv = new Ajv2020({ strict: false, allErrors: false, validateFormats: false });
const compiled = new Map<unknown, ValidateFunction>();

function validator(schema: unknown): ValidateFunction {
	const known = compiled.get(schema);
	if (known) return known;
	const made = ajv.compile({ ...(closed(schema, false) as Tree), schemas: all(false), parts: all(true) });
	compiled.set(schema, made);
	return made;
}

const paths = Object.entries(document.paths as Tree).map(([template, item]) => ({
	// Ids of models may have slashes.
	pattern: new RegExp(`^${template.replace(/^\/v1/, '(?:/v1)?').replace(/\{(\w+)\}/g, '[^?]+')}/?$`),
	literals: template.split('{')[0]?.length ?? 0,
	template,
	item,
}));

/** What is otherwise than described; undefined: nothing, or the path is not described at all. */
export function undescribed({ method, path, status, contentType, json }: Answered): string | undefined {
	const found = paths
		.filter(({ pattern, item }) => pattern.test(path) && at(item, method.toLowerCase()) !== undefined)
		.toSorted((a, b) => b.template.length - a.template.length)[0];
	if (!found) return undefined;
	const responses = at(found.item, method.toLowerCase(), 'responses') as Tree;
	const response = responses[String(status)] ?? responses[`${Math.floor(status / 100)}XX`];
	const where = `${method} ${found.template} → ${status}`;
	if (response === undefined) return `${where} is not described`;
	const content = at(resolved(response), 'content');
	const type = contentType.split(';')[0]?.trim() ?? '';
	if (type === '') return undefined;
	if (at(content, type) === undefined) return `${where}: the type ${type} is not described`;
	const schema = at(content, type, 'schema');
	if (type !== 'application/json' || schema === undefined) return undefined;
	const validate = validator(schema);
	if (validate(json)) return undefined;
	return `${where}: ${ajv.errorsText(validate.errors)} ${JSON.stringify(validate.errors?.[0]?.params)}`;
}
