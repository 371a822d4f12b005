// The models of the built-in catalog: the few to start with, and all.
import { Catalog, isPinned, isServable } from '../../dist/models/catalog/catalog.js';
import { downloadBytes } from '../../dist/models/catalog/size.js';
import { code, table } from './pages.mjs';

const all = new Catalog().models;

/** Where to start. */
const suggested = {
	'whisper-large-v3-turbo-q5_0': 'good in most languages',
	'whisper-base': 'small and quick, any language',
	'parakeet-tdt-0.6b-v3': 'European languages, quick',
	'sensevoice-small': 'Chinese, Cantonese, Japanese, Korean, English; very quick',
	'moonshine-v2-base-en': 'English on small machines',
	'qwen3-asr-0.6b': 'many languages, takes keywords; slow',
};

function size(bytes) {
	if (bytes === null) return '?';
	return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.round(bytes / 1e6)} MB`;
}

const languages = ({ languages: codes, languagesNote }) =>
	languagesNote ?? (codes.length > 8 ? `${codes.length} languages` : codes.join(' '));

const licence = ({ licence: { name, url, osi } }) => `[${name}](${url})${osi ? '' : ' \\*'}`;

/** Six models for the README. */
export function models() {
	return table(
		['model', 'for', 'download', 'memory', 'licence'],
		Object.entries(suggested).map(([id, what]) => {
			const model = all.find((each) => each.id === id);
			if (model === undefined) throw new Error(`the catalog has no ${id}`);
			return [code(id), what, size(downloadBytes(model)), size(model.memoryBytes), licence(model)];
		}),
	);
}

/** Every model. */
export function catalog() {
	const rows = all.map((model) => [
		`${code(model.id)}${isPinned(model) ? '' : ' †'}`,
		isServable(model) ? model.type : `${model.use === 'transcription' ? model.type : model.use} ‡`,
		languages(model),
		size(downloadBytes(model)),
		size(model.memoryBytes),
		model.speed,
		model.features.join(', '),
		licence(model),
	]);
	const head = ['model', 'type', 'languages', 'download', 'memory', 'speed', 'can', 'licence'];
	return `${all.length} models.\n\n${table(head, rows)}`;
}
