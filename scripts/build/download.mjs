// Fetches the archives that vendor/pins.json names by sha256: sources that no npm package holds.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

export const archives = JSON.parse(readFileSync(join(root, 'vendor', 'pins.json'), 'utf8')).archives;

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** Path of the archive in build/downloads, fetched from the first address that has it. */
export async function download({ urls, sha256: expected }, say = () => {}) {
	const folder = join(root, 'build', 'downloads');
	const file = join(folder, basename(new URL(urls[0]).pathname));
	if (existsSync(file) && sha256(readFileSync(file)) === expected) return file;
	mkdirSync(folder, { recursive: true });
	const faults = [];
	for (const url of urls) {
		try {
			say(`fetching ${url}`);
			const response = await fetch(url);
			if (!response.ok) throw new Error(`answered ${response.status}`);
			const bytes = new Uint8Array(await response.arrayBuffer());
			const found = sha256(bytes);
			if (found !== expected) throw new Error(`expected sha256 ${expected}, got ${found}`);
			writeFileSync(`${file}.part`, bytes);
			renameSync(`${file}.part`, file);
			return file;
		} catch (error) {
			faults.push(`${url}: ${error.cause?.code ?? error.message}`);
		}
	}
	throw new Error(`could not fetch ${basename(file)}:\n  ${faults.join('\n  ')}`);
}
