/** How large the download of a model is. Pure. */

import type { CatalogModel } from './types.js';

/** What comes over the line; null where any part of it is not known. */
export function downloadBytes({ archive, files }: Pick<CatalogModel, 'archive' | 'files'>): number | null {
	const parts = archive ? [archive] : files;
	return sum(parts.map(({ bytes, aboutBytes }) => bytes ?? aboutBytes ?? null));
}

function sum(numbers: readonly (number | null)[]): number | null {
	return numbers.reduce((total, each) => (total === null || each === null ? null : total + each), 0);
}
