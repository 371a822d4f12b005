/** Whose results are equal to the last bit. */

import { cpus } from 'node:os';

/** `version`: of Earshot. `settings`: that change what a model computes. Machines with the same processor, version and
 * settings have the same name; others may still agree. */
export function numericsOf(version: string, settings: readonly (string | number | boolean)[]): string {
	return [version, process.platform, process.arch, cpus()[0]?.model ?? '', ...settings].join(' ');
}
