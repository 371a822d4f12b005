/** A turn on a streaming model, which transcribes during speech. */

import { GrowingText } from '../../core/live/growing-text.js';
import type { ClipResult } from '../../core/speech/clip.js';
import type { RecognizeOptions } from '../../core/speech/options.js';
import { sampleRate } from '../../core/speech/pcm.js';
import type { TokenLogprob } from '../../core/speech/transcript.js';
import type { PartialResult, SpeechStream } from '../../engines/engine.js';
import type { StreamTime } from './model-time.js';
import type { TurnListener, TurnWork } from './work.js';

export class StreamTurn implements TurnWork {
	readonly #stream: SpeechStream;
	readonly #recognize: RecognizeOptions;
	readonly #time: StreamTime;
	readonly #listener: TurnListener;
	readonly #text = new GrowingText();
	/** Text of the utterances that have ended, as the model wrote it. */
	#written = '';
	readonly #logprobs: TokenLogprob[] = [];
	#language: string | null = null;
	#pieces: Float32Array[] = [];
	#unread = 0;
	#samples = 0;
	#isEnded = false;
	#silentSeconds = 0;
	#isFeeding = false;
	#isCancelled = false;

	/** `stream`: a new stream; the turn closes it. */
	constructor(
		stream: SpeechStream,
		{ recognize, time }: { readonly recognize: RecognizeOptions; readonly time: StreamTime },
		listener: TurnListener,
	) {
		this.#stream = stream;
		this.#recognize = recognize;
		this.#time = time;
		this.#listener = listener;
	}

	get unreadSeconds(): number {
		return this.#unread / sampleRate;
	}

	push(samples: Float32Array): void {
		this.#pieces.push(samples);
		this.#unread += samples.length;
		this.#samples += samples.length;
		void this.#feedOn();
	}

	end(silentSeconds: number): void {
		this.#isEnded = true;
		this.#silentSeconds = silentSeconds;
		void this.#feedOn();
	}

	/** No effect: a streaming model processes the silence as well, and yields hypotheses in any case. */
	pause(): void {}

	resume(): void {}

	cancel(): void {
		if (this.#isCancelled) return;
		this.#isCancelled = true;
		this.#close();
	}

	/** Feeds the audio received so far to the model, one call at a time. Never rejects. */
	async #feedOn(): Promise<void> {
		if (this.#isFeeding) return;
		this.#isFeeding = true;
		try {
			for (let isLast = false; !isLast && !this.#isCancelled; ) {
				if (this.#pieces.length === 0 && !this.#isEnded) return;
				isLast = this.#isEnded;
				await this.#feed(isLast);
			}
		} catch (thrown) {
			if (this.#isCancelled) return;
			this.cancel();
			this.#listener.failed(thrown);
		} finally {
			this.#isFeeding = false;
		}
	}

	async #feed(isLast: boolean): Promise<void> {
		const samples = this.#taken();
		const { ended = [], result, endpoint } = await this.#fed(samples, isLast);
		if (this.#isCancelled) return;
		this.#listener.progressed();
		for (const utterance of ended) this.#settle(utterance);
		if (ended.length > 0) this.#emit(this.#text.settle(this.#written.trim()));
		const text = (this.#written + writtenIn(result)).trim();
		if (endpoint || isLast) this.#settle(result);
		if (isLast) return this.#finish(text);
		this.#emit(endpoint ? this.#text.settle(text) : this.#text.partial(text));
		this.#listener.partial(text);
	}

	#emit(delta: string): void {
		if (delta !== '') this.#listener.delta(delta);
	}

	async #fed(samples: Float32Array, isLast: boolean): Promise<PartialResult> {
		const ended = this.#time.begin();
		try {
			return await this.#stream.feed(samples, isLast, this.#silentSeconds);
		} finally {
			ended();
		}
	}

	#settle(result: ClipResult): void {
		this.#written += writtenIn(result);
		if (result.segments.length > 0) this.#language ??= result.language;
		for (const { logprobs = [] } of result.segments) this.#logprobs.push(...logprobs);
	}

	#finish(text: string): void {
		const { delta, revised } = this.#text.finish(text);
		const { language, logprobs } = this.#recognize;
		this.#isCancelled = true;
		this.#close();
		this.#emit(delta);
		this.#listener.completed({
			text: this.#text.published,
			language: language ?? this.#language,
			seconds: this.#samples / sampleRate,
			...(logprobs && { logprobs: this.#logprobs }),
			revised,
		});
	}

	#taken(): Float32Array {
		const samples = new Float32Array(this.#unread);
		let at = 0;
		for (const piece of this.#pieces) {
			samples.set(piece, at);
			at += piece.length;
		}
		this.#pieces = [];
		this.#unread = 0;
		return samples;
	}

	#close(): void {
		this.#pieces = [];
		this.#unread = 0;
		this.#stream.close().catch(() => {});
	}
}

/** Text with its leading space, which separates it from the text before. */
function writtenIn({ segments }: ClipResult): string {
	return segments.map(({ text }) => text).join('');
}
