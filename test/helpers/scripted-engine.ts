/** An engine whose clips finish when the test says so. */

import type { Batch, Engine, Limits } from '../../src/engines/engine.js';
import { EarshotError } from '../../src/errors.js';
import type { ClipResult } from '../../src/speech/clip.js';
import type { ModelInfo } from '../../src/speech/model-info.js';

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
	/** `extra` is told of every clip of the batch that is left. */
	finish(extra?: Partial<ClipResult>): void;
	/** One clip of the batch. */
	finishClip(position: number, extra?: Partial<ClipResult>): void;
	/** Whatever is left of the batch. */
	fail(error: Error): void;
}

interface Ends {
	resolve(result: ClipResult): void;
	reject(error: Error): void;
	/** Listens to the clip's signal. */
	cancel(): void;
}

export class ScriptedEngine implements Engine {
	readonly info = info;
	readonly limits: Limits;
	/** Batches in the order they were run. */
	readonly ran: Batch[] = [];
	/** Those of which any clip is left. */
	readonly running: Run[] = [];
	closed = false;
	/** Takes no notice of signals. */
	isDeaf = false;
	/** Its clips gain by company. */
	isSociable = false;

	constructor(changes: Partial<Limits> = {}) {
		this.limits = { ...limits, ...changes };
	}

	run(batch: Batch, signals: readonly AbortSignal[]): Promise<ClipResult>[] {
		this.ran.push(batch);
		const left = new Map<number, Ends>();
		const leave = (position: number) => {
			const ends = left.get(position);
			if (ends) signals[position]?.removeEventListener('abort', ends.cancel);
			if (left.delete(position) && left.size === 0) this.running.splice(this.running.indexOf(run), 1);
			return ends;
		};
		const run: Run = {
			batch,
			signals,
			finish: (extra) => {
				for (const position of [...left.keys()]) run.finishClip(position, extra);
			},
			finishClip: (position, extra = {}) => {
				const segments = [segment(` at ${batch.clips[position]?.start}`)];
				leave(position)?.resolve({ language: 'en', segments, ...extra });
			},
			fail: (error) => {
				for (const position of [...left.keys()]) leave(position)?.reject(error);
			},
		};
		this.running.push(run);
		return batch.clips.map(
			(_, position) =>
				new Promise((resolve, reject) => {
					const cancel = () => {
						if (!this.isDeaf) leave(position)?.reject(new EarshotError('cancelled', 'cancelled'));
					};
					left.set(position, { resolve, reject, cancel });
					signals[position]?.addEventListener('abort', cancel);
				}),
		);
	}

	joins(): boolean {
		return this.isSociable;
	}

	/** Finishes the oldest running batch, and lets everything that follows from it happen. */
	async finishCurrent(): Promise<void> {
		// What was submitted just now starts after this turn.
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

/** Lets promises that are already settled run their reactions. */
export function settled(): Promise<void> {
	return new Promise((resolve) => setImmediate(resolve));
}
