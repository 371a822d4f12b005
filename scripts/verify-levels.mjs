// Proves that every level this processor has gives the same text. Builds the addon for each level of levels.json that the
// processor runs, in build/levels/<level>, has each transcribe the tones with each encoder there is, and compares text, tokens
// and times. Each build runs twice: with the kernels of ours that the level's own processors have, and with the widest here.
//
//   npm run verify:levels
//   … -- --level x86-64-v3     these levels alone (repeat it); the first is what the others are compared with
//
// `node scripts/setup.mjs --test` comes first. A build takes minutes, less with ccache.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus } from 'node:os';
import { basename, dirname, join } from 'node:path';
import process, { execPath, exit, stderr, stdout } from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import wavefile from 'wavefile';
import { flagsOf } from '../test/helpers/flags.mjs';
import { usualClip, usualLoad } from '../test/helpers/whisper-defaults.mjs';
import { root } from './build/download.mjs';

const dist = (...file) => import(pathToFileURL(join(root, 'dist', ...file)).href);
const { canRun, kernelNames, levelsFor, processorFlags } = await dist('addon', 'cpu.js');
const generated = join(root, 'fixtures', 'generated');
const model = join(generated, 'whisper', 'tones.bin');
const recordings = ['tones-abc', 'tones-abcde', 'tones-long-pauses', 'tones-deadbead', 'noise', 'silence'];

// ---- one build -----------------------------------------------------------------------------------

/** What loadWhisper takes for each encoder that this build has on this processor. */
async function encodersOf(addon) {
	const { encoderGraph } = await dist('engines', 'whisper', 'encoder-graph.js');
	const { readGgml } = await dist('model-files', 'ggml-file.js');
	const { runtimeFile } = await dist('addon', 'libraries.js');
	const libraries = join(root, 'vendor', 'sherpa-onnx', `${process.platform}-${process.arch}`);
	const session = {
		library: runtimeFile(libraries),
		graph: encoderGraph(readGgml(model), basename(model)),
		folder: dirname(model),
		threads: 1,
	};
	return {
		ggml: {},
		onnx: { encoders: [await addon.loadEncoder(session)] },
		...(addon.integerEncoders() ? { int16: { encoderBits: 16 }, int8: { encoderBits: 8 } } : {}),
	};
}

function samplesOf(name) {
	const wav = new wavefile.WaveFile(readFileSync(join(generated, 'audio', `${name}.wav`)));
	wav.toBitDepth('32f');
	return Float32Array.from(wav.getSamples(false));
}

/** The result of each encoder and recording, alone and in a batch, with the least audio context and with all of it. */
async function transcribeAll(file) {
	const addon = createRequire(import.meta.url)(file);
	const results = {};
	const describe = ({ bytes, tokenIds, tokenTimes }) =>
		`${Buffer.from(bytes)} | ${tokenIds.join(' ')} | ${[...tokenTimes].map((time) => time.toFixed(3)).join(' ')}`;
	for (const [encoder, how] of Object.entries(await encodersOf(addon))) {
		const loaded = await addon.loadWhisper({ ...usualLoad, path: model, ...how });
		const clips = recordings.map(samplesOf);
		for (const audioContext of [0, 768]) {
			const options = { ...usualClip, tokenTimestamps: true, temperatureIncrement: 0.2, audioContext };
			const batch = await Promise.all(loaded.transcribeBatch(clips, options));
			for (const [at, name] of recordings.entries()) {
				const place = `${encoder}, ${name}, context ${audioContext || 'whole'}`;
				results[place] = describe(await loaded.transcribe(clips[at], options));
				results[`${place}, in a batch`] = describe(batch[at]);
			}
		}
		await loaded.close();
	}
	return { features: addon.cpuFeatures(), kernels: addon.kernels(), results };
}

// ---- all of them ---------------------------------------------------------------------------------

function buildOf(level) {
	const out = join(root, 'build', 'levels', level);
	const options = join(root, 'build', 'options.json');
	const kept = existsSync(options) ? JSON.parse(readFileSync(options, 'utf8')) : [];
	const given = kept.filter((each) => !each.startsWith('--CDEARSHOT_LEVEL='));
	const ccache = spawnSync('ccache', ['--version']).status === 0 ? 'ccache' : undefined;
	const env = {
		...process.env,
		...(ccache && { CMAKE_C_COMPILER_LAUNCHER: ccache, CMAKE_CXX_COMPILER_LAUNCHER: ccache }),
	};
	const cmake = join(root, 'node_modules', 'cmake-js', 'bin', 'cmake-js');
	for (const step of ['configure', 'build']) {
		const args = [cmake, step, `--out=${out}`, `--CDEARSHOT_LEVEL=${level}`, ...given];
		const { status, stdout: said } = spawnSync(execPath, args, { cwd: root, env, encoding: 'utf8' });
		if (status !== 0) throw new Error(`${said.split('\n').slice(-20).join('\n')}\nno build for ${level}`);
	}
	return join(out, 'Release', 'earshot.node');
}

/** The kernels that every processor of a level has. */
function ownKernels({ needs }) {
	if (needs.includes('avx512_vnni')) return 'vnni';
	if (needs.includes('avx512f')) return 'avx512';
	return needs.includes('avx2') ? 'avx2' : 'none';
}

function run(file, kernels) {
	const {
		status,
		signal,
		stdout: said,
	} = spawnSync(execPath, [fileURLToPath(import.meta.url), '--child', file], {
		encoding: 'utf8',
		maxBuffer: 1 << 26,
		env: { ...process.env, EARSHOT_KERNELS: kernels },
		stdio: ['ignore', 'pipe', 2],
	});
	if (status !== 0) throw new Error(`${file} ended with ${status ?? signal}`);
	return JSON.parse(said);
}

/** Prints a line for each build, and what differs. Returns whether nothing does. */
function verify(levels) {
	stdout.write(`${cpus()[0]?.model}: ${levels.map(({ name }) => name).join(', ')}\n`);
	const widest = kernelNames.at(-1);
	const first = new Map();
	let same = true;
	for (const level of levels) {
		const file = buildOf(level.name);
		const done = new Set();
		for (const wanted of [ownKernels(level), widest]) {
			const { kernels, results } = run(file, wanted);
			if (done.has(kernels)) continue;
			done.add(kernels);
			const places = Object.keys(results);
			const others = places.filter((place) => (first.get(place) ?? results[place]) !== results[place]);
			for (const place of places) if (!first.has(place)) first.set(place, results[place]);
			const encoders = [...new Set(places.map((place) => place.split(',')[0]))].join(' ');
			const outcome = others.length === 0 ? 'the same' : `${others.length} DIFFER`;
			stdout.write(
				`${level.name.padEnd(15)} kernels ${kernels.padEnd(7)} ${encoders.padEnd(21)} ${places.length} runs: ${outcome}\n`,
			);
			for (const place of others)
				stdout.write(`  ${place}\n    first ${first.get(place)}\n    here  ${results[place]}\n`);
			same &&= others.length === 0;
		}
	}
	return same;
}

const { values } = flagsOf(import.meta.url, {
	options: { child: { type: 'string' }, level: { type: 'string', multiple: true } },
});
try {
	if (values.child !== undefined) {
		stdout.write(JSON.stringify(await transcribeAll(values.child)));
	} else {
		const flags = processorFlags();
		const here = levelsFor(process.platform, process.arch).filter((level) => canRun(level, flags));
		const levels = here.filter(({ name }) => values.level === undefined || values.level.includes(name));
		if (levels.length === 0)
			throw new Error(
				`Expected \`--level\` to be one of ${here.map(({ name }) => name).join(', ')}, got \`${values.level}\``,
			);
		if (!verify(levels)) exit(1);
	}
} catch (error) {
	stderr.write(`verify-levels: ${error.message}\n`);
	exit(1);
}
