/**
 * @fugood/whisper.node as its README uses it, greedy as the other sides are: one clip.
 * Reads one JSON line from stdin, writes one to stdout.
 */

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { stdin, stdout } from 'node:process';
import { packageFolder } from './peers.mjs';
import { speech } from './speech.mjs';

let line = '';
for await (const chunk of stdin) line += chunk;
/** @type {{ model: string, seconds: number, threads: number }} */
const { model, seconds, threads } = JSON.parse(line);
const { initWhisper } = createRequire(join(packageFolder(), 'package.json'))('@fugood/whisper.node');
const context = await initWhisper({ filePath: model, useGpu: false });
const file = speech(seconds);
const samples = file.buffer.slice(file.byteOffset + 44, file.byteOffset + file.length);
const options = { language: 'en', temperature: 0, beamSize: 1, bestOf: 1, maxThreads: threads };
const start = performance.now();
const { result } = await context.transcribeData(samples, options).promise;
const ms = performance.now() - start;
await context.release();
stdout.write(`${JSON.stringify({ ms, text: result })}\n`);
