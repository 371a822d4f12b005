/** An engine whose clips finish when a test says so. */

import { EarshotError } from '../../src/core/errors.js';
import type { ClipResult } from '../../src/core/speech/clip.js';
import type { ModelInfo } from '../../src/core/speech/model-info.js';
import type { Batch, Engine, Limits } from '../../src/engines/engine.js';

export const info: ModelInfo = {
	id: 'scripted',
	engine: 'script',
	type: 'whisper_cpp',
	device: 'none',
	capabilities: {
		languages: ['en', 'de'],
		choosesLanguage: true,
		choosesAmongLanguages: true,
		detectsLanguage: true,
		translates: true,
		prompt: true,
		keywords: true,
		temperature: true,
		decoding: true,
		words: true,
		logprobs: true,
		noSpeechProb: true,
	},
};

export const limits: Limits = {
	slots: 1,
	prioritySlot: false,
	maxClipThreads: 64,
	maxBatchClips: 1,
	maxBatchSeconds: 30,
	padded: false,
	maxClipSeconds: 30,
	minClipSeconds: 0,
	mergeGapSeconds: 1,
};

interface Run {
	readonly batch: Batch;
	readonly signals: readonly AbortSignal[];
	/** Finishes the remaining clips of the batch; `extra` is merged into each result. */
	finish(extra?: Partial<ClipResult>): void;
	/** Finishes one clip of the batch. */
	finishClip(position: number, extra?: Partial<ClipResult>): void;
	/** Fails the remaining clips of the batch. */
	fail(error: Error): void;
}

interface Ends {
	resolve(result: ClipResult): void;
	reject(error: Error): void;
	/** Listener of the clip's signal. */
	cancel(): void;
}

export class ScriptedEngine implements Engine {
	readonly info = info;
	readonly limits: Limits;
	/** Batches in the order in which they started. */
	readonly ran: Batch[] = [];
	/** Batches with unfinished clips. */
	readonly running: Run[] = [];
	closed = false;
	/** Whether it never cancels clips. */
	ignoresSignals = false;
	/** Whether it does continuous batching. */
	isContinuous = false;

	constructor(changes: Partial<Limits> = {}) {
		this.limits = { ...limits, ...changes };
	}

	run(batch: Batch, signals: readonly AbortSignal[]): Promise<ClipResult>[] {
		this.ran.push(batch);
		const unfinished = new Map<number, Ends>();
		const leave = (position: number) => {
			const ends = unfinished.get(position);
			if (ends) signals[position]?.removeEventListener('abort', ends.cancel);
			if (unfinished.delete(position) && unfinished.size === 0)
				this.running.splice(this.running.indexOf(run), 1);
			return ends;
		};
		const run: Run = {
			batch,
			signals,
			finish: (extra) => {
				for (const position of [...unfinished.keys()]) run.finishClip(position, extra);
			},
			finishClip: (position, extra = {}) => {
				const segments = [segment(` at ${batch.clips[position]?.start}`)];
				leave(position)?.resolve({ language: 'en', segments, ...extra });
			},
			fail: (error) => {
				for (const position of [...unfinished.keys()]) leave(position)?.reject(error);
			},
		};
		this.running.push(run);
		return batch.clips.map(
			(_, position) =>
				new Promise((resolve, reject) => {
					const cancel = () => {
						if (!this.ignoresSignals) leave(position)?.reject(new EarshotError('cancelled', 'cancelled'));
					};
					unfinished.set(position, { resolve, reject, cancel });
					signals[position]?.addEventListener('abort', cancel);
				}),
		);
	}

	batchesContinuously(): boolean {
		return this.isContinuous;
	}

	/** Finishes the oldest running batch and waits until its effects have settled. */
	async finishCurrent(): Promise<void> {
		// Clips submitted just now start after this turn.
		await settled();
		this.running[0]?.finish();
		await settled();
	}

	async close(): Promise<void> {
		this.closed = true;
	}
}

function segment(text: string) {
	return { start: 0, end: 1, text, tokens: [1], temperature: 0, avgLogprob: -0.1, noSpeechProb: 0 };
}

/** Resolves after the reactions of promises that have already settled. */
export function settled(): Promise<void> {
	return new Promise((resolve) => setImmediate(resolve));
}
