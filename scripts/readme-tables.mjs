/**
 * Writes the tables of models into the README, from the catalog: `node scripts/readme-tables.mjs`. With
 * `--check` it only tells whether they are up to date. Needs the compiled catalog (`npm run build`).
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Catalog, downloadBytes, isPinned, isServable } from '../dist/models/catalog/catalog.js';

const readme = fileURLToPath(new URL('../README.md', import.meta.url));
const { models } = new Catalog();

/** Where to start. */
const suggested = {
	'whisper-large-v3-turbo-q5_0': 'good in most languages',
	'whisper-base': 'small and quick, any language',
	'parakeet-tdt-0.6b-v3': 'European languages, quick',
	'sensevoice-small': 'Chinese, Cantonese, Japanese, Korean, English; very quick',
	'moonshine-v2-base-en': 'English on small machines',
	'qwen3-asr-0.6b': 'many languages, hears keywords; slow',
};

const size = (bytes) => {
	if (bytes === null) return '?';
	return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.round(bytes / 1e6)} MB`;
};

const languages = ({ languages: codes, languagesNote }) =>
	languagesNote ?? (codes.length > 8 ? `${codes.length} languages` : codes.join(' '));

const licence = ({ licence: { name, url, osi } }) => `[${name}](${url})${osi ? '' : ' \\*'}`;

const row = (...cells) => `| ${cells.join(' | ')} |`;

function table(head, rows) {
	return [row(...head), row(...head.map(() => '---')).replaceAll(' ', ''), ...rows].join('\n');
}

function suggestions() {
	return table(
		['model', 'for', 'download', 'memory', 'licence'],
		Object.entries(suggested).map(([id, what]) => {
			const model = models.find((each) => each.id === id);
			if (model === undefined) throw new Error(`the catalog has no ${id}`);
			return row(`\`${id}\``, what, size(downloadBytes(model)), size(model.memoryBytes), licence(model));
		}),
	);
}

function everything() {
	const rows = models.map((model) =>
		row(
			`\`${model.id}\`${isPinned(model) ? '' : ' †'}`,
			isServable(model) ? model.type : `${model.use === 'transcription' ? model.type : model.use} ‡`,
			languages(model),
			size(downloadBytes(model)),
			size(model.memoryBytes),
			model.speed,
			model.features.join(', '),
			licence(model),
		),
	);
	const head = ['model', 'type', 'languages', 'download', 'memory', 'speed', 'can', 'licence'];
	return `${table(head, rows)}

\\* not an open-source licence: \`--accept-license\`. † not every digest was known when this was written: the first
pull shows and pins what comes. ‡ can be fetched; Earshot does not serve it yet.`;
}

const tables = { 'models: where to start': suggestions(), 'models: all': everything() };

let text = readFileSync(readme, 'utf8');
const before = text;
for (const [name, content] of Object.entries(tables)) {
	const [open, close] = [`<!-- ${name} -->`, `<!-- end of ${name} -->`];
	const [from, to] = [text.indexOf(open), text.indexOf(close)];
	if (from < 0 || to < from) throw new Error(`the README lacks ${open} … ${close}`);
	text = `${text.slice(0, from + open.length)}\n${content}\n${text.slice(to)}`;
}
if (text === before) {
	console.log(`The README has all ${models.length} models of the catalog.`);
} else if (process.argv.includes('--check')) {
	console.error('The tables of models in the README are not up to date: node scripts/readme-tables.mjs');
	process.exitCode = 1;
} else {
	writeFileSync(readme, text);
	console.log(`${models.length} models written to the README.`);
}
