/**
 * Partial text of an open turn, from a model without streaming: the turn so far is transcribed repeatedly
 * (LocalAgreement). A transcription starts only if a slot is free and no clip waits, and is aborted when a clip waits; so
 * its time does not count towards the load of live sessions, for which others are refused.
 */

import { levelled } from '../../audio/leveller.js';
import { maxPartialSeconds, PartialSchedule } from '../../core/live/agreement.js';
import type { RecognizeOptions } from '../../core/speech/options.js';
import { sampleRate } from '../../core/speech/pcm.js';
import { padded } from '../clip-queue.js';
import type { PipelineParts } from '../parts.js';

export interface PartialsOptions {
	readonly recognize: RecognizeOptions;
	/** Called with a hypothesis of the text of the turn so far. */
	readonly onPartial: (text: string) => void;
}

export class Partials {
	readonly #parts: PipelineParts;
	readonly #options: PartialsOptions;
	readonly #schedule = new PartialSchedule();
	#samples = new Float32Array(sampleRate);
	#length = 0;
	#running: AbortController | undefined;
	#isStopped = false;

	constructor(parts: PipelineParts, options: PartialsOptions) {
		this.#parts = parts;
		this.#options = options;
	}

	push(samples: Float32Array): void {
		if (this.#isStopped) return;
		this.#keep(samples);
		const { waitingClips } = this.#parts.scheduler.state;
		if (waitingClips > 0) this.#running?.abort();
		if (this.#schedule.isDue(this.#seconds)) this.#begin();
	}

	/** Ends partial text: the turn has ended, or is too long. */
	stop(): void {
		this.#isStopped = true;
		this.#running?.abort();
		this.#samples = new Float32Array(0);
		this.#length = 0;
	}

	get #seconds(): number {
		return this.#length / sampleRate;
	}

	#keep(samples: Float32Array): void {
		const length = this.#length + samples.length;
		if (length > maxPartialSeconds * sampleRate) {
			this.stop();
			return;
		}
		if (length > this.#samples.length) {
			const larger = new Float32Array(Math.max(length, 2 * this.#samples.length));
			larger.set(this.#samples.subarray(0, this.#length));
			this.#samples = larger;
		}
		this.#samples.set(samples, this.#length);
		this.#length = length;
	}

	#begin(): void {
		const { slots, busySlots, waitingClips } = this.#parts.scheduler.state;
		if (this.#running || busySlots >= slots || waitingClips > 0) return;
		this.#schedule.began(this.#seconds);
		void this.#transcribe();
	}

	/** Never rejects: without a hypothesis, the turn still gets its text at its end. */
	async #transcribe(): Promise<void> {
		const { scheduler, limits } = this.#parts;
		const { recognize, onPartial } = this.#options;
		const control = new AbortController();
		this.#running = control;
		const end = this.#seconds;
		const samples = levelled(this.#samples.slice(0, this.#length));
		try {
			const { segments } = await scheduler.submit({
				recording: control,
				clip: padded({ samples, start: 0, end }, limits.minClipSeconds),
				options: recognize,
				signal: control.signal,
			});
			if (this.#isStopped || control.signal.aborted) return;
			onPartial(
				segments
					.map(({ text }) => text)
					.join('')
					.trim(),
			);
		} catch {
			// Aborted, or failed: the whole turn is transcribed later anyway.
		} finally {
			this.#running = undefined;
		}
	}
}
