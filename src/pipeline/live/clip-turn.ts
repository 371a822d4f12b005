/**
 * A turn on a model without streaming: processed like a recording whose audio arrives during its transcription. When
 * the speech pauses, the turn so far is transcribed speculatively, so that its text is ready if the turn ends there.
 */

import { GrowingText } from '../../core/live/growing-text.js';
import type { ChunkingOptions, RecognizeOptions } from '../../core/speech/options.js';
import { sampleRate } from '../../core/speech/pcm.js';
import type { PipelineHooks, PipelineParts } from '../parts.js';
import { ClipRun, type RunText } from './clip-run.js';
import type { StreamTime } from './model-time.js';
import { Partials } from './partials.js';
import { SlotReservation } from './slot-reservation.js';
import type { TurnListener, TurnWork } from './work.js';

export interface ClipTurnOptions {
	readonly recognize: RecognizeOptions;
	readonly chunking: ChunkingOptions;
	/** Accounts for the model time of the turn's transcriptions, but not of partial text. */
	readonly time: StreamTime;
	/** Publish partial text as the turn grows, while a slot is free. */
	readonly partials: boolean;
	/** Notified of the turn's clips. */
	readonly hooks?: PipelineHooks | undefined;
}

/** Longer turns are not transcribed speculatively: most of their clips are finished before the turn ends. */
const maxEarlySeconds = 25;

export class ClipTurn implements TurnWork {
	readonly #parts: PipelineParts;
	readonly #options: ClipTurnOptions;
	readonly #listener: TurnListener;
	readonly #run: ClipRun;
	/** Keeps clips of long recordings from occupying all slots when the turn ends. */
	readonly #reservation: SlotReservation;
	/** Speculative transcription of the turn up to its current pause. */
	#early: ClipRun | undefined;
	readonly #text = new GrowingText();
	readonly #partials: Partials | undefined;
	/** Audio of the whole turn before the pause; empty if the turn is too long. */
	#kept: Float32Array[] = [];
	/** Audio since the speech has paused; undefined without a pause. */
	#held: Float32Array[] | undefined;
	#samples = 0;
	#isClosed = false;

	constructor(parts: PipelineParts, options: ClipTurnOptions, listener: TurnListener) {
		this.#parts = parts;
		this.#options = options;
		this.#listener = listener;
		const { recognize, partials } = options;
		const onPartial = (text: string) => this.#partial(text);
		if (partials) this.#partials = new Partials(parts, { recognize, onPartial });
		this.#run = new ClipRun(parts, options, {
			settled: (text) => this.#emitDelta(this.#text.settle(text)),
			progressed: () => this.#ifRunning(() => listener.progressed()),
		});
		this.#reservation = new SlotReservation(() => parts.scheduler.reserveSlot());
		const release = () => this.#reservation.end();
		this.#run.done.then(release, release);
		this.#run.done.then(
			(text) => this.#finish(text),
			(thrown: unknown) => this.#ifRunning(() => listener.failed(thrown)),
		);
	}

	get unreadSeconds(): number {
		return this.#run.unreadSeconds;
	}

	push(samples: Float32Array): void {
		this.#reservation.renew();
		this.#samples += samples.length;
		if (this.#held) this.#held.push(samples);
		else this.#collectSpeech(samples);
	}

	pause(): void {
		this.#held = [];
		const { slots, busySlots, waitingClips } = this.#parts.scheduler.state;
		if (this.#kept.length === 0 || busySlots >= slots || waitingClips > 0) return;
		const early = new ClipRun(this.#parts, this.#options, { settled: () => {}, progressed: () => {} });
		this.#early = early;
		for (const samples of this.#kept) early.push(samples);
		early.end();
		early.done.then(
			({ text }) => {
				if (this.#early === early) this.#ifRunning(() => this.#listener.partial(text));
			},
			() => {
				// Cancelled, or failed: the transcription of the turn itself reports any error.
			},
		);
	}

	resume(): void {
		const held = this.#held ?? [];
		this.#held = undefined;
		this.#dropEarly();
		for (const samples of held) this.#collectSpeech(samples);
	}

	end(): void {
		this.#reservation.keep();
		this.#partials?.stop();
		this.#kept = [];
		const early = this.#early;
		if (!early) {
			this.#run.end();
			return;
		}
		early.done.then(
			(text) => {
				this.#run.cancel();
				this.#finish(text);
			},
			() => this.#run.end(),
		);
	}

	cancel(): void {
		this.#isClosed = true;
		this.#partials?.stop();
		this.#early?.cancel();
		this.#run.cancel();
	}

	#collectSpeech(samples: Float32Array): void {
		this.#run.push(samples);
		this.#partials?.push(samples);
		if (this.#samples > maxEarlySeconds * sampleRate) this.#kept = [];
		else this.#kept.push(samples);
	}

	#dropEarly(): void {
		this.#early?.cancel();
		this.#early = undefined;
	}

	#partial(text: string): void {
		this.#emitDelta(this.#text.partial(text));
		this.#ifRunning(() => this.#listener.partial(text));
	}

	#emitDelta(delta: string): void {
		if (delta !== '') this.#ifRunning(() => this.#listener.delta(delta));
	}

	#finish({ text, language, logprobs }: RunText): void {
		if (this.#isClosed) return;
		const { delta, revised } = this.#text.finish(text);
		this.#emitDelta(delta);
		this.#isClosed = true;
		const { recognize } = this.#options;
		this.#listener.completed({
			text: this.#text.published,
			language: recognize.language ?? language,
			seconds: this.#samples / sampleRate,
			...(recognize.logprobs && { logprobs }),
			revised,
		});
	}

	#ifRunning(report: () => void): void {
		if (!this.#isClosed) report();
	}
}
