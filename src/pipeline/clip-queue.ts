/** The clips of one recording between the chunker and the consumer, in order. */

import { EarshotError } from '../errors.js';
import type { Clip, ClipResult } from '../speech/clip.js';
import type { RecognizeOptions } from '../speech/options.js';
import { sampleRate } from '../speech/pcm.js';
import type { Stopwatch } from '../speech/timing.js';
import type { PipelineHooks, PipelineParts } from './parts.js';

interface Submitted {
	readonly clip: Clip;
	/** Of the clip in the recording, from 0. */
	readonly position: number;
	readonly result: Promise<ClipResult>;
}

/**
 * For each slot, what it runs and as much again: when it is done, its next batch is cut already, and hours of
 * audio do not wait in memory.
 */
const batchesAhead = 2;

/** The clips of one recording between being cut and being told, in order. */
export class ClipQueue {
	readonly #parts: PipelineParts;
	readonly #options: RecognizeOptions;
	readonly #signal: AbortSignal;
	readonly #stopwatch: Stopwatch;
	readonly #hooks: PipelineHooks;
	readonly #maxSeconds: number;
	readonly #queue: Submitted[] = [];
	#count = 0;
	/** Of clips that wait or run. */
	#seconds = 0;
	#ended = false;
	/** Called at every change. */
	readonly #watching: (() => void)[] = [];

	constructor(
		parts: PipelineParts,
		options: RecognizeOptions,
		signal: AbortSignal,
		stopwatch: Stopwatch,
		hooks: PipelineHooks,
	) {
		this.#parts = parts;
		this.#options = options;
		this.#signal = signal;
		this.#stopwatch = stopwatch;
		this.#hooks = hooks;
		const { slots, maxBatchSeconds, maxClipSeconds } = parts.limits;
		this.#maxSeconds = batchesAhead * slots * Math.max(maxBatchSeconds, maxClipSeconds);
	}

	submit(clip: Clip): void {
		const { firstClip = 0, onRunning } = this.#hooks;
		const position = this.#count++;
		if (position < firstClip) return;
		const seconds = clip.end - clip.start;
		this.#seconds += seconds;
		const result = this.#parts.scheduler.submit({
			recording: this,
			clip: lengthened(clip, this.#parts.limits.minClipSeconds),
			options: this.#options,
			signal: this.#signal,
			stopwatch: this.#stopwatch,
			...(onRunning ? { onStart: () => onRunning(position) } : {}),
		});
		const settled = () => {
			this.#seconds -= seconds;
			this.#changed();
		};
		// It is awaited in its turn; one that fails meanwhile must not count as unhandled.
		result.then(settled, settled);
		this.#queue.push({ clip, position, result });
		this.#changed();
	}

	/** No clip follows. */
	end(): void {
		this.#ended = true;
		this.#changed();
	}

	/** Resolves when more may be submitted. Throws `cancelled`. */
	async waitForCapacity(): Promise<void> {
		while (this.#seconds >= this.#maxSeconds) await this.#change();
		throwIfCancelled(this.#signal);
	}

	/** The first clip that was not taken yet; undefined after the last one. */
	async next(): Promise<Submitted | undefined> {
		while (this.#queue.length === 0 && !this.#ended) await this.#change();
		return this.#queue.shift();
	}

	#change(): Promise<void> {
		return new Promise((resolve) => this.#watching.push(resolve));
	}

	#changed(): void {
		for (const resolve of this.#watching.splice(0)) resolve();
	}
}

/** Models are weak on, or refuse, clips under their minimum: silence makes up the rest. */
function lengthened(clip: Clip, minClipSeconds: number): Clip {
	const wanted = Math.ceil(minClipSeconds * sampleRate);
	if (clip.samples.length >= wanted) return clip;
	const samples = new Float32Array(wanted);
	samples.set(clip.samples);
	return { ...clip, samples };
}

export function throwIfCancelled(signal: AbortSignal): void {
	if (signal.aborted) throw new EarshotError('cancelled', 'the recording was cancelled');
}
