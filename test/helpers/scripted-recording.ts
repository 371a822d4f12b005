/** A recording whose speech spans a test sets, and that counts the samples read. */

import type { AudioReader } from '../../src/audio/decode.js';
import type { Span, VadSegments } from '../../src/audio/speech-spans.js';
import type { VadSession } from '../../src/audio/vad.js';
import { EarshotError } from '../../src/core/errors.js';

const rate = 16_000;

export class ScriptedRecording {
	readonly seconds: number;
	/** Spans of speech, seconds. */
	readonly spans: readonly Span[];
	/** Number of readers that were not closed. */
	open = 0;
	/** Samples read by all readers together. */
	read = 0;
	/** Thrown by reads beyond this second. */
	failure: { readonly at: number; readonly error: Error } | undefined;
	/** The file ends before its recording does. */
	truncated = false;
	/** Of the recording that this is one of, where each is scripted by itself. */
	channels = 1;
	/** Duration declared by the container. */
	declared: number | null = null;

	constructor(seconds: number, spans: readonly Span[]) {
		this.seconds = seconds;
		this.spans = spans;
	}

	/** Value of the sample at a position: different everywhere, so that positions can be distinguished. */
	static sample(at: number): number {
		return Math.fround(((at * 7919) % 100_003) / 100_003);
	}

	reader = (): AudioReader => {
		let at = 0;
		let closed = false;
		return {
			truncated: this.truncated,
			channels: this.channels,
			open: async () => {
				this.open++;
				return this.declared;
			},
			read: async (into) => {
				if (closed) throw new EarshotError('closed', 'it has been closed');
				const end = Math.min(at + into.length, Math.round(this.seconds * rate));
				if (this.failure && end > this.failure.at * rate) throw this.failure.error;
				const count = end - at;
				for (let index = 0; index < count; index++) into[index] = ScriptedRecording.sample(at + index);
				at = end;
				this.read += count;
				return count;
			},
			close: async () => {
				if (!closed) this.open--;
				closed = true;
			},
		};
	};

	vad = async (): Promise<VadSession> => {
		let before = 0;
		let samples = 0;
		return {
			push: async (block, last): Promise<VadSegments> => {
				samples += block.length;
				const now = last ? Number.POSITIVE_INFINITY : samples / rate;
				const spans = this.spans.filter(({ end }) => end > before && end <= now);
				const open = this.spans.find(({ start, end }) => start <= now && end > now);
				before = now;
				return { spans, openSince: open?.start ?? null, settled: samples / rate };
			},
			close: async () => {},
		};
	};
}
