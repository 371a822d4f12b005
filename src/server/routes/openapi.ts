/** GET /openapi.json: the API as an OpenAPI document, read from src/server/openapi.yaml. */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { packageRoot } from '../../core/paths.js';

/** The parts of the document that Earshot itself reads. */
export interface OpenApi {
	readonly info: object;
	readonly paths: Readonly<Record<string, Readonly<Record<string, object>>>>;
	readonly components: {
		readonly parameters: Readonly<Record<string, { readonly name: string }>>;
		readonly responses: Readonly<Record<string, object>>;
		readonly schemas: Readonly<
			Record<
				string,
				{ readonly properties?: Readonly<Record<string, { readonly enum?: readonly string[] }>> }
			>
		>;
	};
}

/** Read from src/, since TypeScript copies no YAML into dist/. */
export function readOpenApi(): OpenApi {
	return parse(readFileSync(path.join(packageRoot, 'src', 'server', 'openapi.yaml'), 'utf8')) as OpenApi;
}
