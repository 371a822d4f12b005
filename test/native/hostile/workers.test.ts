/** Worker threads that are ended at any moment while they load and use the addon. */

import { expect, test } from 'vitest';
import { inChild, tonesModel, whisperClip } from '../addon.js';

test('the process goes on when worker threads are ended while they load and use the addon', async () => {
	const { code, signal, stdout, stderr } = await inChild(
		`const body = \`
			const { workerData } = require('node:worker_threads');
			const addon = require('node-gyp-build')(workerData.root);
			addon.setLogSink(() => {});
			(async () => {
				for (;;) {
					const model = await addon.loadWhisper(workerData.load);
					await model.transcribe(new Float32Array(16_000), workerData.clip);
					const reader = addon.openAudio(new Uint8Array(100), { maxSeconds: 10 });
					await reader.open().catch(() => {});
					await model.close();
				}
			})();\`;
		const [root, path, clip] = values;
		const load = { path, slots: 1, maxThreads: 1, useGpu: false, gpuDevice: 0, alignmentHeads: [] };
		let ended = 0;
		// How long loading takes depends on the machine: from before it begins until the work goes on, in small steps.
		for (let delayMs = 0; delayMs < 150; delayMs += 2) {
			const worker = new Worker(body, { eval: true, workerData: { root, load, clip } });
			worker.on('error', (error) => console.log(error.stack));
			await new Promise((resolve) => worker.once('online', resolve));
			await new Promise((resolve) => setTimeout(resolve, delayMs % 50));
			await worker.terminate();
			ended++;
		}
		console.log('ended', ended);`,
		process.cwd(),
		tonesModel,
		whisperClip,
	);
	expect({ code, signal, stdout, stderr }).toEqual({ code: 0, signal: null, stdout: 'ended 75', stderr: '' });
}, 60_000);
