/** Names machines whose results are bit-identical. */

import { cpus } from 'node:os';

/** `version`: of Earshot. `settings`: those that affect what a model computes. Machines with the same processor,
 * version and settings have the same name; machines with different names may still agree. */
export function numericsOf(version: string, settings: readonly (string | number | boolean)[]): string {
	return [version, process.platform, process.arch, cpus()[0]?.model ?? '', ...settings].join(' ');
}
