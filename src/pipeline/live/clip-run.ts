/** Runs audio that arrives in pieces through the pipeline for recordings. */

import type { ChunkingOptions, RecognizeOptions } from '../../core/speech/options.js';
import type { TokenLogprob } from '../../core/speech/transcript.js';
import type { PipelineHooks, PipelineParts } from '../parts.js';
import { runPipeline } from '../pipeline.js';
import type { StreamTime } from './model-time.js';
import { TurnReader } from './turn-reader.js';

export interface ClipRunOptions {
	readonly recognize: RecognizeOptions;
	readonly chunking: ChunkingOptions;
	/** Accounts for the model time of the clips. */
	readonly time: StreamTime;
	readonly hooks?: PipelineHooks | undefined;
}

export interface RunText {
	readonly text: string;
	/** null if the model reports none. */
	readonly language: string | null;
	readonly logprobs: readonly TokenLogprob[];
}

export interface RunListener {
	/** Called with the joined text of the finished clips, a prefix of the whole text. */
	readonly settled: (text: string) => void;
	/** Called after audio was read. */
	readonly progressed: () => void;
}

export class ClipRun {
	/** Rejects with EarshotError, also after `cancel`. */
	readonly done: Promise<RunText>;
	readonly #reader: TurnReader;
	readonly #control = new AbortController();

	constructor(parts: PipelineParts, options: ClipRunOptions, listener: RunListener) {
		this.#reader = new TurnReader(listener.progressed);
		this.done = this.#run({ ...parts, openAudio: () => this.#reader }, options, listener);
		// Handlers are attached later; until then a rejection must not count as unhandled.
		this.done.catch(() => {});
	}

	get unreadSeconds(): number {
		return this.#reader.unreadSeconds;
	}

	push(samples: Float32Array): void {
		this.#reader.push(samples);
	}

	end(): void {
		this.#reader.end();
	}

	cancel(): void {
		this.#control.abort();
	}

	async #run(
		parts: PipelineParts,
		{ recognize, chunking, hooks, time }: ClipRunOptions,
		{ settled }: RunListener,
	): Promise<RunText> {
		const { signal } = this.#control;
		const recording = { bytes: new Uint8Array(0) };
		const logprobs: TokenLogprob[] = [];
		let written = '';
		let language: string | null = null;
		const charged = charging(time, hooks);
		for await (const event of runPipeline(parts, recording, { ...recognize, chunking }, signal, charged)) {
			if (event.type !== 'clip') continue;
			if (event.segments.length > 0) language ??= event.language;
			for (const segment of event.segments) {
				written += segment.text;
				logprobs.push(...(segment.logprobs ?? []));
			}
			settled(written.trim());
		}
		return { text: written.trim(), language, logprobs };
	}
}

/** Adds accounting of model time to the hooks: only running clips count, not the wait for audio between them. */
function charging(time: StreamTime, hooks: PipelineHooks = {}): PipelineHooks {
	const ends = new Map<number, () => void>();
	return {
		...hooks,
		onRunning: (step, seconds) => {
			if (step >= 0) ends.set(step, time.begin());
			hooks.onRunning?.(step, seconds);
		},
		onEnded: (step, hasResult) => {
			ends.get(step)?.();
			ends.delete(step);
			hooks.onEnded?.(step, hasResult);
		},
	};
}
