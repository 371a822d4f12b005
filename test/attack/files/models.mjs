// Models whose text files take the memory, the time or the process of whoever reads them.
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { abc, field, file, form, isRefusal, post, seen } from '../lib/http.mjs';
import { modelsYaml, root, startServer } from '../lib/server.mjs';

const sound = path.join(root, 'fixtures', 'generated', 'sherpa');
const symbols = (count) =>
	Array.from({ length: count }, (_, id) => `${id === 0 ? '<blk>' : `t${id}`} ${id}\n`).join('');

const tokens = {
	'a number beyond all memory': '<blk> 2147483647\n▁a 1\n',
	'a line of 2 MB of blanks': `<blk> 0\n${' '.repeat(2e6)}x\n`,
	'a line of many fields': `${'▁a 0'.repeat(50)}\n`,
	'300,000 symbols of another model': symbols(300_000),
	'two million symbols': symbols(2_000_000),
	'a million blank lines': `<blk> 0\n${'\n'.repeat(1e6)}x\n`,
	nothing: '',
	'bytes that are no text': Buffer.alloc(100_000, 0xff),
};

const within = 5_000;

export async function attack({ check }) {
	const folder = mkdtempSync(path.join(tmpdir(), 'earshot-attack-'));
	const entries = {};
	const add = (id, type, spoil, files) => {
		const own = path.join(folder, id);
		cpSync(path.join(sound, type), own, { recursive: true });
		spoil(own);
		entries[id] = {
			type,
			files: Object.fromEntries(Object.entries(files).map(([role, name]) => [role, path.join(own, name)])),
		};
	};
	for (const [index, text] of Object.values(tokens).entries()) {
		add(`tokens-${index}`, 'zipformer_ctc', (own) => writeFileSync(path.join(own, 'tokens.txt'), text), {
			model: 'model.onnx',
			tokens: 'tokens.txt',
		});
	}
	const tokenizer = {
		conv_frontend: 'conv_frontend.onnx',
		encoder: 'encoder.onnx',
		decoder: 'decoder.onnx',
		tokenizer: 'tokenizer',
	};
	const vocabularies = {
		'a number beyond all memory': '{"a": 4000000000}',
		'a million brackets': `{"a": ${'['.repeat(1e6)}${']'.repeat(1e6)}}`,
	};
	for (const [index, text] of Object.values(vocabularies).entries()) {
		add(
			`vocabulary-${index}`,
			'qwen3_asr',
			(own) => writeFileSync(path.join(own, 'tokenizer', 'vocab.json'), text),
			tokenizer,
		);
	}
	const server = await startServer({ yaml: modelsYaml(['zipformer_ctc'], entries) });
	try {
		const refuses = async (id, what) => {
			const startedMs = performance.now();
			const answer = await post(server.port, form([field('model', id), file(abc)]), { timeoutMs: 60_000 });
			const ms = Math.round(performance.now() - startedMs);
			const held = isRefusal(answer, 500) && answer.body.includes('model_load_failed') && ms < within;
			check(
				`${what} is refused in words and in time`,
				held && !/signal|exit code/.test(answer.body),
				`${ms} ms ${seen(answer)}`,
			);
		};
		for (const [index, what] of Object.keys(tokens).entries())
			await refuses(`tokens-${index}`, `a tokens.txt of ${what}`);
		for (const [index, what] of Object.keys(vocabularies).entries())
			await refuses(`vocabulary-${index}`, `a vocab.json with ${what}`);
	} finally {
		await server.stop();
		rmSync(folder, { recursive: true, force: true });
	}
}
