// The folders of native/: what is in them, and which other ones they include from.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { code, codes, root, table } from './pages.mjs';

const native = join(root, 'native');

const about = {
	addon: 'what the addon exports, as `binding.d.ts` declares it',
	napi: 'promises, errors, options and callbacks between Node-API and the engines',
	core: 'clip, result, failure, cancelling: what all engines share',
	platform: 'files, libraries, threads and processor features of each operating system',
	kernels:
		'matrix products, attention and GELU, chosen at run time for the processor; `encoder/` is the integer encoder, `decoder/` has nodes of the graph of the decoder and sums over its logits',
	ort: 'ONNX Runtime, loaded at run time',
	audio:
		"any container → 16 kHz mono float PCM: `ffmpeg/` by FFmpeg's libraries, plain WAV without; live audio",
	vad: "Silero on ONNX Runtime, sherpa-onnx's detector, and the spans of speech",
	sherpa: "sherpa-onnx's C interface for one exact version; recognizers and streams",
	whisper:
		'the engine, continuous batching, Parakeet; `model/` checks and loads files, `clip/` runs one clip, `decode/` searches for its text, `upstream/` is whisper.cpp with its repairs and the access to its internals, `math/` has spectrogram, word times and repetition',
};

/** Other folders of native/ that the files of one include. */
function includesOf(folder, all) {
	const sources = readdirSync(join(native, folder), { recursive: true, encoding: 'utf8' }).filter((name) =>
		/\.(cc|h|c)$/.test(name),
	);
	const texts = sources.map((name) => readFileSync(join(native, folder, name), 'utf8'));
	const found = texts.flatMap((text) =>
		[...text.matchAll(/^#include "([\w-]+)\//gm)].map(([, name]) => name),
	);
	return all.filter((name) => name !== folder && found.includes(name));
}

/** One row a folder. Throws where one is not described, or is described and not there. */
export function nativeFolders() {
	const all = readdirSync(native, { withFileTypes: true })
		.filter((entry) => entry.isDirectory())
		.map(({ name }) => name);
	const wrong = [
		...all.filter((name) => about[name] === undefined),
		...Object.keys(about).filter((name) => !all.includes(name)),
	];
	if (wrong.length > 0) throw new Error(`scripts/docs/native.mjs and native/ differ in [${wrong}]`);
	const names = Object.keys(about);
	return table(
		['folder', 'what is in it', 'includes from'],
		names.map((name) => [code(`native/${name}`), about[name], codes(includesOf(name, names))]),
	);
}
