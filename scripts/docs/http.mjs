// Routes, fields and schemas, from src/server/openapi.yaml.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { code, codes, root, table } from './pages.mjs';

const api = parse(readFileSync(join(root, 'src', 'server', 'openapi.yaml'), 'utf8'));
const { schemas: all } = api.components;

const oneLine = (text = '') => text.replaceAll(/\s+/g, ' ').trim().replaceAll('|', '\\|');

/** Every route and method. */
export function routes() {
	const rows = Object.entries(api.paths).flatMap(([path, operations]) =>
		Object.entries(operations).map(([method, { summary }]) => [
			code(`${method.toUpperCase()} ${path}`),
			oneLine(summary),
		]),
	);
	return table(['route', 'what'], rows);
}

const refName = (ref) => ref.split('/')[3];

/** A schema's type in a few words. */
function typeOf(schema) {
	if (schema.$ref !== undefined) return refName(schema.$ref);
	if (schema.const !== undefined) return code(schema.const);
	if (schema.enum !== undefined) return schema.enum.map(code).join(', ');
	if (schema.anyOf !== undefined) return schema.anyOf.map(typeOf).join(' or ');
	if (schema.type === 'array') return `list of ${typeOf(schema.items)}`;
	if (Array.isArray(schema.type)) return schema.type.join(' or ');
	return schema.format === 'binary' ? 'file' : schema.type;
}

function defaultOf({ default: value }) {
	if (value === undefined) return '';
	return codes([value].flat().map(String));
}

/** Fields of a transcription request. */
export function fields() {
	const { properties } = all.TranscriptionRequest;
	const rows = Object.entries(properties).map(([name, schema]) => [
		code(schema.type === 'array' ? `${name}[]` : name),
		typeOf(schema),
		defaultOf(schema),
		oneLine(schema.description),
	]);
	return table(['field', 'type', 'default', 'what'], rows);
}

/** Properties of every schema but the request's, which `fields` has. */
export function schemas() {
	return Object.entries(all)
		.filter(([name]) => name !== 'TranscriptionRequest')
		.map(([name, { properties = {}, required = [] }]) => {
			const rows = Object.entries(properties).flatMap(([key, schema]) => rowsOf(key, schema, required));
			return `### ${name}\n\n${table(['field', 'type', '', 'what'], rows)}`;
		})
		.join('\n\n');
}

/** A property, and below it those of a nested object or of the objects of a list. */
function rowsOf(key, schema, required) {
	const nested = schema.type === 'array' ? schema.items : schema;
	const suffix = schema.type === 'array' ? '[]' : '';
	const own = [
		code(key),
		typeOf(schema),
		required.includes(key) ? 'always' : '',
		oneLine(schema.description),
	];
	const below = Object.entries(nested.properties ?? {}).flatMap(([name, each]) =>
		rowsOf(
			`${key}${suffix}.${name}`,
			each,
			(nested.required ?? []).map((one) => `${key}${suffix}.${one}`),
		),
	);
	return [own, ...below];
}
