/** Cuts a recording into groups of clips without transcribing it. */

import { randomUUID } from 'node:crypto';
import path from 'node:path';
import type { ClipSource } from '../audio/channel-chunker.js';
import { writeClipFile } from '../audio/clip-file.js';
import { throwIfCancelled } from '../core/abort.js';
import type { Clip } from '../core/speech/clip.js';
import type { CutEvent } from '../core/speech/events.js';
import type { CutOptions } from '../core/speech/options.js';
import { toMilliseconds } from '../core/speech/seconds.js';
import { Stopwatch } from '../core/speech/timing.js';
import { decodeBlock } from './decode-block.js';
import type { PipelineHooks } from './parts.js';
import { endedEvent, startedEvent } from './source-events.js';

/** Ending the iteration early, or `signal`, ends the decoding. */
export async function* runCut(
	source: ClipSource,
	options: CutOptions,
	signal: AbortSignal,
	hooks: PipelineHooks,
): AsyncGenerator<CutEvent> {
	throwIfCancelled(signal);
	const stopwatch = new Stopwatch();
	const groups = new Groups(options);
	const close = () => void source.close().catch(() => {});
	signal.addEventListener('abort', close, { once: true });
	try {
		let clips = await decodeBlock(source, stopwatch, hooks);
		yield startedEvent(source);
		for (;;) {
			for (const clip of clips) {
				const whole = groups.add(clip);
				if (whole) yield await whole();
			}
			if (source.ended) break;
			clips = await decodeBlock(source, stopwatch, hooks);
			throwIfCancelled(signal);
		}
		const rest = groups.rest();
		if (rest) yield await rest();
		yield endedEvent(source, stopwatch);
	} catch (thrown) {
		throwIfCancelled(signal);
		throw thrown;
	} finally {
		signal.removeEventListener('abort', close);
		close();
	}
}

class Groups {
	readonly #options: CutOptions;
	#clips: Clip[] = [];
	#seconds = 0;
	#count = 0;
	/** Where the last group ended. */
	#end = 0;

	constructor(options: CutOptions) {
		this.#options = options;
	}

	/** Returns a function that writes the group if this clip completes it; undefined if the group may still grow. */
	add(clip: Clip): (() => Promise<CutEvent>) | undefined {
		this.#clips.push(clip);
		this.#seconds += clip.end - clip.start;
		return this.#seconds >= this.#options.seconds ? this.rest() : undefined;
	}

	rest(): (() => Promise<CutEvent>) | undefined {
		const clips = this.#clips;
		if (clips.length === 0) return undefined;
		// Clips of several channels may end in a different order than they begin.
		const end = Math.max(this.#end, ...clips.map((clip) => clip.end));
		const [start, at] = [toMilliseconds(this.#end), this.#count++];
		const group = { group: at, start, end: toMilliseconds(end), clips: clips.length };
		this.#clips = [];
		this.#seconds = 0;
		this.#end = end;
		const { folder, first } = this.#options;
		return async () => {
			if (at < first) return { type: 'group', group, file: null };
			const file = path.join(folder, `${at}-${randomUUID()}.clips`);
			await writeClipFile(file, group, clips);
			return { type: 'group', group, file };
		};
	}
}
