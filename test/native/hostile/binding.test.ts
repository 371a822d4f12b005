/** What the addon does with arguments that its types forbid, and with memory that is taken away: in a process of its own. */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { runtimeFile } from '../../../src/addon/libraries.js';
import { sileroGraph } from '../../../src/audio/silero-graph.js';
import { encoderGraph } from '../../../src/engines/whisper/encoder-graph.js';
import { readGgml } from '../../../src/model-files/ggml-file.js';
import { onnxNodes } from '../../../src/model-files/onnx-nodes.js';
import { generated, modelFixture } from '../../helpers/fixtures.js';
import { Scratch } from '../../helpers/net/real-server.js';
import { usualLoad } from '../../helpers/whisper-defaults.mjs';
import {
	digits,
	libraryDir,
	plainSherpa,
	runNode,
	sherpaClip,
	sherpaConfig,
	silero,
	tonesModel,
	whisperClip,
} from '../addon.js';

const script = fileURLToPath(new URL('fuzz-binding.mjs', import.meta.url));

/** Arguments that every function would accept. */
function validLoads(): object {
	const library = runtimeFile(libraryDir);
	const base64 = (graph: Uint8Array | undefined) => Buffer.from(graph ?? []).toString('base64');
	return {
		whisper: { ...usualLoad, path: tonesModel },
		whisperClip,
		sherpa: { ...plainSherpa, slots: 1, config: sherpaConfig(modelFixture('zipformer_ctc')) },
		streaming: {
			libraryDir,
			slots: 1,
			config: sherpaConfig(modelFixture('streaming_zipformer_ctc')),
			tailSeconds: 1,
			batch: 2,
		},
		sherpaClip,
		encoder: {
			library,
			graph: base64(encoderGraph(readGgml(tonesModel), path.basename(tonesModel))),
			folder: path.dirname(tonesModel),
			threads: 1,
		},
		network: {
			library,
			graph: base64(sileroGraph(onnxNodes(readFileSync(silero)), path.basename(silero))),
			folder: path.dirname(silero),
		},
		embedding: {
			library,
			graph: base64(readFileSync(path.join(generated, 'speakers', 'embedding.onnx'))),
			threads: 1,
		},
		voice: { threshold: 0.5, minSilenceSeconds: 0.2, minSpeechSeconds: 0.1, maxSpeechSeconds: 20 },
		digits,
	};
}

const scratch = new Scratch();
const loads = scratch.file('loads.json', JSON.stringify(validLoads()));
afterAll(() => scratch[Symbol.dispose]());

describe('the addon', () => {
	test.each([1, 2, 3])(
		'fails with an error and never ends the process, whatever it is called with (seed %i)',
		async (seed) => {
			const { code, signal, stdout, stderr } = await runNode([script, loads, String(seed), '8']);
			const lastCall = stderr.trim().split('\n').at(-1);
			expect({ code, signal, stdout, lastCall }).toEqual({ code: 0, signal: null, stdout: 'done', lastCall });
		},
		120_000,
	);
});
