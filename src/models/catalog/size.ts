/** The download size of a model. Pure. */

import type { CatalogModel } from './types.js';

/** Bytes to download; null where the size of any part is unknown. */
export function downloadBytes({ archive, files }: Pick<CatalogModel, 'archive' | 'files'>): number | null {
	const parts = archive ? [archive] : files;
	return sum(parts.map(({ bytes, aboutBytes }) => bytes ?? aboutBytes ?? null));
}

function sum(numbers: readonly (number | null)[]): number | null {
	return numbers.reduce((total, each) => (total === null || each === null ? null : total + each), 0);
}
