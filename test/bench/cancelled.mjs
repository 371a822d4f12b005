/**
 * How soon a cancelled clip leaves its batch, in a process of its own: from the call to the clip's end, when its place in
 * the slot is free. Reads one JSON line from stdin, writes one to stdout.
 */

import { stdin, stdout } from 'node:process';
import { setTimeout } from 'node:timers/promises';
import { addon } from '../../dist/addon/addon.js';
import { usualClip, usualLoad } from '../helpers/whisper-defaults.mjs';
import { floatsOf, speech } from './lib/speech.mjs';

/**
 * @typedef {object} Task
 * @property {string} path of a Whisper model
 * @property {readonly number[]} seconds of the clips of a batch
 * @property {number} audioContext positions that its encoder processes
 * @property {number} tries each later than the one before, over all of a batch's time
 */

let line = '';
for await (const chunk of stdin) line += chunk;
/** @type {Task} */
const { path, seconds, audioContext, tries } = JSON.parse(line);

// What the server takes where nobody asks for anything else.
const encoder = addon().integerEncoders() ? { encoderBits: 16 } : {};
const model = await addon().loadWhisper({ ...usualLoad, ...encoder, path });
const clips = seconds.map((length) => floatsOf(speech(length)));
const batch = (clip) =>
	model.transcribeBatch(clips, { ...usualClip, clip, audioContext }).map((end) => end.catch(() => {}));

await Promise.all(batch(1));
const start = performance.now();
await Promise.all(batch(2));
const wholeMs = performance.now() - start;

const times = [];
for (let at = 0; at < tries; at++) {
	const ends = batch(at + 3);
	// Not the first, which never waits for its turn to encode.
	const cancelled = 1 + (at % (clips.length - 1));
	await setTimeout((wholeMs * at) / tries);
	const asked = performance.now();
	model.cancel(at + 3, cancelled);
	await ends[cancelled];
	times.push(performance.now() - asked);
	await Promise.all(ends);
}
await model.close();
stdout.write(`${JSON.stringify({ times, wholeMs })}\n`);
