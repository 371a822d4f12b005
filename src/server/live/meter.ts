/** Measures one session for the metrics and its log line. */

import type { Clock } from '../../core/clock.js';
import type { LiveEvent } from '../../core/live/live.js';
import type { Metrics } from '../../core/metrics.js';
import { completedEvent, deltaEvent, failedEvent } from './protocol/events.js';
import type { SentEvent } from './session/outbox.js';

/** Maximum number of remembered arrival times: minutes of audio in pieces of the usual size. */
const maxArrivals = 4096;

export class LiveMeter {
	readonly #metrics: Metrics;
	readonly #clock: Clock;
	/** Pieces of unprocessed audio: position of the end, and time of arrival. */
	#arrivals: { readonly endMs: number; readonly atMs: number }[] = [];
	readonly #started = new Map<string, number>();
	readonly #committed = new Map<string, number>();
	#turns = 0;

	constructor(metrics: Metrics, clock: Clock) {
		this.#metrics = metrics;
		this.#clock = clock;
	}

	/** Number of completed or failed turns. */
	get turns(): number {
		return this.#turns;
	}

	/** Records received audio; the session's audio now ends at `endMs`. */
	appended(model: string, endMs: number, addedMs: number): void {
		if (addedMs <= 0) return;
		this.#metrics.liveAudio(model, addedMs / 1000);
		if (this.#arrivals.length < maxArrivals) this.#arrivals.push({ endMs, atMs: this.#clock.now() });
	}

	/** Records an event of the stream; the model has processed the audio up to `heardMs`. */
	processed(model: string, event: LiveEvent, processedMs: number): void {
		if (event.type === 'completed' && event.revised) this.#metrics.liveRevised(model);
		if (event.type !== 'processed') return;
		const count = this.#arrivals.findIndex(({ endMs }) => endMs > processedMs + 0.5);
		const pieces = this.#arrivals.splice(0, count === -1 ? this.#arrivals.length : count);
		const last = pieces.at(-1);
		if (last) this.#metrics.liveLag(model, (this.#clock.now() - last.atMs) / 1000);
	}

	sent(model: string, event: SentEvent): void {
		const now = this.#clock.now();
		if (event.type === 'input_audio_buffer.speech_started') this.#started.set(event.item_id, now);
		if (event.type === 'input_audio_buffer.committed') this.#committed.set(event.item_id, now);
		if (event.type === deltaEvent) {
			const startedMs = this.#started.get(event.item_id);
			this.#started.delete(event.item_id);
			if (startedMs !== undefined) this.#metrics.liveFirstDelta(model, (now - startedMs) / 1000);
		}
		if (event.type !== completedEvent && event.type !== failedEvent) return;
		const committedMs = this.#committed.get(event.item_id) ?? now;
		this.#committed.delete(event.item_id);
		this.#started.delete(event.item_id);
		this.#turns++;
		const result = event.type === completedEvent ? 'completed' : 'failed';
		this.#metrics.liveTurn(model, result, (now - committedMs) / 1000);
	}
}
