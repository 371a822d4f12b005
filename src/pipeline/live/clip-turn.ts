/** A turn of a model that hears whole clips: a recording like others, whose audio comes while it is transcribed. */

import { GrowingText } from '../../live/growing-text.js';
import type { LiveText } from '../../live/live.js';
import type { ChunkingOptions, RecognizeOptions } from '../../speech/options.js';
import { sampleRate } from '../../speech/pcm.js';
import type { Timing } from '../../speech/timing.js';
import type { TokenLogprob } from '../../speech/transcript.js';
import type { PipelineHooks, PipelineParts } from '../parts.js';
import { runPipeline } from '../pipeline.js';
import { Partials } from './partials.js';
import { TurnReader } from './turn-reader.js';
import type { TurnListener, TurnWork } from './work.js';

export interface ClipTurnOptions {
	readonly recognize: RecognizeOptions;
	readonly chunking: ChunkingOptions;
	/** When the turn so far is transcribed: as it grows, to tell its text; or where its speech pauses, to see whether it is
	 * over; null = not at all. */
	readonly guesses: 'growing' | 'pauses' | null;
	/** Told of its clips. */
	readonly hooks?: PipelineHooks | undefined;
}

export class ClipTurn implements TurnWork {
	readonly #listener: TurnListener;
	readonly #reader: TurnReader;
	readonly #control = new AbortController();
	readonly #text = new GrowingText();
	/** Of the clips that are done, as the model wrote it. */
	#written = '';
	#language: string | null = null;
	readonly #logprobs: TokenLogprob[] = [];
	readonly #partials: Partials | undefined;
	#samples = 0;

	constructor(parts: PipelineParts, options: ClipTurnOptions, listener: TurnListener) {
		this.#listener = listener;
		this.#reader = new TurnReader(() => {
			if (!this.#control.signal.aborted) listener.progressed();
		});
		const { recognize, guesses } = options;
		const isGrowing = guesses === 'growing';
		const onGuess = (text: string) => {
			const delta = isGrowing ? this.#text.guess(text) : '';
			if (delta !== '') listener.delta(delta);
			listener.guess(text);
		};
		if (guesses !== null) this.#partials = new Partials(parts, { recognize, isGrowing, onGuess });
		void this.#run({ ...parts, openAudio: () => this.#reader }, options);
	}

	get unreadSeconds(): number {
		return this.#reader.unreadSeconds;
	}

	push(samples: Float32Array): void {
		this.#samples += samples.length;
		this.#reader.push(samples);
		this.#partials?.push(samples);
	}

	pause(): void {
		this.#partials?.ask();
	}

	end(): void {
		this.#partials?.stop();
		this.#reader.end();
	}

	cancel(): void {
		this.#partials?.stop();
		this.#control.abort();
	}

	/** Never rejects. */
	async #run(parts: PipelineParts, { recognize, chunking, hooks }: ClipTurnOptions): Promise<void> {
		const { signal } = this.#control;
		try {
			let timing: Timing | undefined;
			const recording = { bytes: new Uint8Array(0) };
			for await (const event of runPipeline(parts, recording, { ...recognize, chunking }, signal, hooks)) {
				if (event.type === 'ended') ({ timing } = event);
				if (event.type !== 'clip') continue;
				if (event.segments.length > 0) this.#language ??= event.language;
				for (const { text, logprobs = [] } of event.segments) {
					this.#written += text;
					this.#logprobs.push(...logprobs);
				}
				const delta = this.#text.settle(this.#written.trim());
				if (delta !== '' && !signal.aborted) this.#listener.delta(delta);
			}
			if (signal.aborted) return;
			const { delta, revised } = this.#text.finish(this.#written.trim());
			if (delta !== '') this.#listener.delta(delta);
			this.#listener.completed(this.#whole(recognize, timing, revised));
		} catch (thrown) {
			if (!signal.aborted) this.#listener.failed(thrown);
		}
	}

	#whole({ language, logprobs }: RecognizeOptions, timing: Timing | undefined, revised: boolean): LiveText {
		return {
			text: this.#text.told,
			language: language ?? this.#language,
			seconds: this.#samples / sampleRate,
			...(logprobs && { logprobs: this.#logprobs }),
			runMs: (timing?.run ?? 0) + (this.#partials?.runMs ?? 0),
			revised,
		};
	}
}
