/** Loads the optional packages of clusters, which are not installed with Earshot. */

import { EarshotError, isError } from './errors.js';

/** The exact versions that are tested with Earshot. */
export const clusterPackages = {
	bullmq: '6.7.0',
	ioredis: '6.0.0',
	pg: '8.23.1',
	aws4fetch: '1.0.20',
} as const;

type ClusterPackage = keyof typeof clusterPackages;

/** Returns what `load` imports. Throws `config_invalid` with the install command if the package is missing. `why`:
 * the URL that needs it. */
export async function installed<T>(name: ClusterPackage, why: string, load: () => Promise<T>): Promise<T> {
	try {
		return await load();
	} catch (thrown) {
		const isMissing = isError(thrown) && 'code' in thrown && thrown.code === 'ERR_MODULE_NOT_FOUND';
		if (!isMissing) throw thrown;
		throw new EarshotError(
			'config_invalid',
			`The package \`${name}\` is needed for \`${withoutSecrets(why)}\`: npm install ${name}@${clusterPackages[name]}`,
			{ cause: thrown },
		);
	}
}

/** The URL without user, password and query, for logs and messages. Pure. */
export function withoutSecrets(url: string): string {
	if (!URL.canParse(url)) return url;
	const parsed = new URL(url);
	return `${parsed.protocol}//${parsed.host}${parsed.pathname}`;
}
