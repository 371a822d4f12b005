/** An engine whose clips finish when the test says so. */

import type { Batch, ClipResult, Engine, Limits, ModelFacts } from '../../src/engines/engine.js';
import { EarshotError } from '../../src/errors.js';

export const facts: ModelFacts = {
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
	lanes: 1,
	expressLane: false,
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
	readonly signal: AbortSignal;
	/** `extra` is told of every clip of the batch. */
	finish(extra?: Partial<ClipResult>): void;
	fail(error: Error): void;
}

export class ScriptedEngine implements Engine {
	readonly facts = facts;
	readonly limits: Limits;
	/** Batches in the order they were run. */
	readonly ran: Batch[] = [];
	readonly running: Run[] = [];
	closed = false;

	constructor(changes: Partial<Limits> = {}) {
		this.limits = { ...limits, ...changes };
	}

	run(batch: Batch, signal: AbortSignal): Promise<ClipResult[]> {
		this.ran.push(batch);
		return new Promise((resolve, reject) => {
			const cancel = () => run.fail(new EarshotError('cancelled', 'cancelled'));
			const leave = () => {
				this.running.splice(this.running.indexOf(run), 1);
				signal.removeEventListener('abort', cancel);
			};
			const run: Run = {
				batch,
				signal,
				finish: (extra = {}) => {
					leave();
					resolve(
						batch.clips.map(({ start }) => ({
							language: 'en',
							segments: [segment(` at ${start}`)],
							...extra,
						})),
					);
				},
				fail: (error) => {
					leave();
					reject(error);
				},
			};
			this.running.push(run);
			signal.addEventListener('abort', cancel);
		});
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
