/** One clip on one thread: Earshot as a library beside whisper-cli and whisper.node, and what a token costs. */

import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { shortHash, whisperShape } from '../lib/models.mjs';
import { whisperPrograms, workplace } from '../lib/peers.mjs';
import { inProcess } from '../lib/servers.mjs';
import { speech } from '../lib/speech.mjs';
import { median } from '../lib/statistics.mjs';

/** @param {string} program @param {string} model @param {string} wav @returns {number} ms, loading left out */
function whisperCli(program, model, wav) {
	const args = ['-m', model, '-f', wav, '-t', '1', '-bs', '1', '-bo', '1', '-l', 'en'];
	const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
	if (status !== 0) throw new Error(`whisper-cli ended with ${status}: ${stderr}`);
	if (stdout.trim() === '') throw new Error('whisper-cli returned no text');
	const time = (what) => Number(new RegExp(`${what} time =\\s*([\\d.]+) ms`).exec(stderr)?.[1]);
	return time('total') - time('load');
}

/**
 * @param {number} total of a clip with 25 tokens
 * @param {{ context: number, short: { encoder: string, ms: number, aroundMs: number } }} encoder
 * @param {number} perToken
 * @returns {[part: string, ms: number][]}
 */
function profile(total, { context, short }, perToken) {
	const tokens = 25 * perToken;
	return [
		[`encoder (${short.encoder}), ${context} positions of 1500, and what the decoder takes in`, short.ms],
		['spectrogram', short.aroundMs],
		['25 tokens', tokens],
		['prompt, voice activity, decoding the file, and all else', total - short.ms - short.aroundMs - tokens],
	];
}

/**
 * @param {import('../bench.mjs').Settings} settings
 * @returns {Promise<import('../bench.mjs').Figure[]>}
 */
export async function whisper({ rounds, report }) {
	const { cli } = whisperPrograms('default');
	const few = whisperShape('base', 25);
	const many = whisperShape('base', 75);
	const ours = (file, seconds, encoder) =>
		inProcess('lib/ours.mjs', {
			model: { type: 'whisper_cpp', files: { model: file } },
			seconds,
			threads: 1,
			repeats: 2,
			settings: { EARSHOT_ENCODER: encoder },
		});
	const tiny = whisperShape('tiny', 25);
	/** @type {Record<string, number[]>} */
	const times = {};
	const note = (name, ms) => {
		times[name] = [...(times[name] ?? []), ms];
		report(`  ${name}: ${ms.toFixed(0)} ms`);
	};
	for (let round = 0; round < rounds; round++) {
		for (const seconds of [10, 30]) {
			const wav = join(workplace, `speech-${seconds}.wav`);
			writeFileSync(wav, speech(seconds));
			for (const [tokens, file] of [
				[25, few],
				[75, many],
			]) {
				const name = `${seconds} s, ${tokens} tokens`;
				note(`whisper-cli, ${name}`, whisperCli(cli, file, wav));
				for (const encoder of ['auto', 'int8', 'onnx', 'ggml'])
					note(`earshot ${encoder}, ${name}`, median((await ours(file, seconds, encoder)).times));
			}
		}
		// Its binary is built for any processor there is: a base shape would take minutes.
		const { ms, text } = await inProcess('lib/whisper-node.mjs', { model: tiny, seconds: 10, threads: 1 });
		if (text.trim() === '') throw new Error('whisper.node returned no text');
		note('whisper.node, tiny', ms);
		note('earshot auto, tiny', median((await ours(tiny, 10, 'auto')).times));
	}
	const encoder = await inProcess('encoder.mjs', { model: few, seconds: 10, repeats: 2 * rounds });
	const of = (side, seconds, tokens) => median(times[`${side}, ${seconds} s, ${tokens} tokens`]);
	const perToken = (side) => (of(side, 10, 75) - of(side, 10, 25)) / 50;
	const model = `base shape, 25 and 75 tokens a window, f16, ${shortHash(few)}, ${shortHash(many)}`;
	const clip = (side, seconds, tokens, atMost) => ({
		what: `one ${seconds} s clip, one thread, ${side} against whisper-cli`,
		seen: `${of(side, seconds, tokens).toFixed(0)} ms`,
		beside: `${of('whisper-cli', seconds, tokens).toFixed(0)} ms`,
		ratio: of(side, seconds, tokens) / of('whisper-cli', seconds, tokens),
		...(atMost === undefined ? {} : { atMost }),
		model,
	});
	return [
		clip('earshot auto', 10, 25, 0.15),
		clip('earshot int8', 10, 25, 0.11),
		clip('earshot ggml', 10, 25),
		clip('earshot auto', 30, 75, 0.45),
		clip('earshot int8', 30, 75),
		clip('earshot ggml', 30, 75),
		{
			what: 'decoder, tokens per second, one thread, against whisper-cli',
			seen: (1000 / perToken('earshot auto')).toFixed(0),
			beside: (1000 / perToken('whisper-cli')).toFixed(0),
			ratio: perToken('whisper-cli') / perToken('earshot auto'),
			atLeast: 1.2,
			model,
		},
		...[
			['auto', encoder.autoGflops],
			['onnx', encoder.onnxGflops],
		].map(([side, gflops]) => ({
			what: `encoder (${side}), 30 s, one thread, share of what products of f32 alone reach`,
			seen: `${gflops.toFixed(0)} GFLOP/s`,
			beside: `${encoder.peakGflops.toFixed(0)} GFLOP/s`,
			ratio: gflops / encoder.peakGflops,
			atLeast: 0.75,
			model,
		})),
		...profile(of('earshot auto', 10, 25), encoder, perToken('earshot auto')).map(([part, ms]) => ({
			what: `where a 10 s clip's time goes, one thread: ${part}`,
			seen: `${ms.toFixed(0)} ms`,
			model,
		})),
		{
			what: 'one 10 s clip, one thread, earshot auto against @fugood/whisper.node',
			seen: `${median(times['earshot auto, tiny']).toFixed(0)} ms`,
			beside: `${median(times['whisper.node, tiny']).toFixed(0)} ms`,
			ratio: median(times['earshot auto, tiny']) / median(times['whisper.node, tiny']),
			model: `tiny shape, 25 tokens a window, f16, ${shortHash(tiny)}`,
		},
	];
}
