/** The clips of one recording between the chunker and the consumer, in order. */

import { throwIfCancelled } from '../core/abort.js';
import type { Clip, ClipResult } from '../core/speech/clip.js';
import type { RecognizeOptions } from '../core/speech/options.js';
import { sampleRate } from '../core/speech/pcm.js';
import type { Stopwatch } from '../core/speech/timing.js';
import type { PipelineHooks, PipelineParts } from './parts.js';

interface Submitted {
	readonly clip: Clip;
	/** Index of the clip in the recording, from 0. */
	readonly position: number;
	readonly result: Promise<ClipResult>;
}

/**
 * Batches kept decoded per slot: the running one and the next. A slot never waits for decoding, and memory stays
 * bounded for recordings of hours.
 */
const batchesAhead = 2;

/** Submits the clips of one recording to the scheduler and returns their results in order. */
export class ClipQueue {
	readonly #parts: PipelineParts;
	readonly #options: RecognizeOptions;
	readonly #signal: AbortSignal;
	readonly #stopwatch: Stopwatch;
	readonly #hooks: PipelineHooks;
	readonly #maxSeconds: number;
	readonly #queue: Submitted[] = [];
	#count = 0;
	/** Audio seconds of clips that wait or run. */
	#seconds = 0;
	#ended = false;
	/** Called once at the next change. */
	readonly #waiters: (() => void)[] = [];

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
		const { firstClip = 0, background = false, onRunning, onEnded } = this.#hooks;
		const position = this.#count++;
		if (position < firstClip) return;
		const seconds = clip.end - clip.start;
		this.#seconds += seconds;
		const result = this.#parts.scheduler.submit({
			recording: this,
			background,
			clip: padded(clip, this.#parts.limits.minClipSeconds),
			options: this.#options,
			signal: this.#signal,
			stopwatch: this.#stopwatch,
			...(onRunning ? { onStart: () => onRunning(position, seconds) } : {}),
			...(onEnded ? { onEnd: (hasResult) => onEnded(position, hasResult) } : {}),
		});
		const settled = () => {
			this.#seconds -= seconds;
			this.#changed();
		};
		// `next` hands it out later; a rejection before that must not count as unhandled.
		result.then(settled, settled);
		this.#queue.push({ clip, position, result });
		this.#changed();
	}

	/** No more clips will be submitted. */
	end(): void {
		this.#ended = true;
		this.#changed();
	}

	/** Resolves when another clip may be submitted. Throws `cancelled`. */
	async waitForCapacity(): Promise<void> {
		while (this.#seconds >= this.#maxSeconds) await this.#change();
		throwIfCancelled(this.#signal);
	}

	/** The next clip in order; undefined after the last one. */
	async next(): Promise<Submitted | undefined> {
		while (this.#queue.length === 0 && !this.#ended) await this.#change();
		return this.#queue.shift();
	}

	#change(): Promise<void> {
		return new Promise((resolve) => this.#waiters.push(resolve));
	}

	#changed(): void {
		for (const resolve of this.#waiters.splice(0)) resolve();
	}
}

/** Appends silence up to the model's minimum: models refuse shorter clips, or transcribe them badly. */
export function padded(clip: Clip, minClipSeconds: number): Clip {
	const minSamples = Math.ceil(minClipSeconds * sampleRate);
	if (clip.samples.length >= minSamples) return clip;
	const samples = new Float32Array(minSamples);
	samples.set(clip.samples);
	return { ...clip, samples };
}
