/** Presents the audio of a turn, which may not have ended, as a recording to read. */

import type { AudioReader } from '../../audio/decode.js';
import { EarshotError } from '../../core/errors.js';
import { sampleRate } from '../../core/speech/pcm.js';

export class TurnReader implements AudioReader {
	readonly truncated = false;
	readonly channels = 1;
	readonly #onRead: () => void;
	#pieces: Float32Array[] = [];
	#unread = 0;
	#isEnded = false;
	#isClosed = false;
	#wake: (() => void) | undefined;

	/** `onRead`: called after each read. */
	constructor(onRead: () => void) {
		this.#onRead = onRead;
	}

	get unreadSeconds(): number {
		return this.#unread / sampleRate;
	}

	push(samples: Float32Array): void {
		this.#pieces.push(samples);
		this.#unread += samples.length;
		this.#wake?.();
	}

	end(): void {
		this.#isEnded = true;
		this.#wake?.();
	}

	async open(): Promise<null> {
		return null;
	}

	/** Waits until `into` is full or the turn has ended. Rejects with `cancelled` after `close`. */
	async read(into: Float32Array): Promise<number> {
		let count = 0;
		for (;;) {
			if (this.#isClosed) throw new EarshotError('cancelled', 'the turn was cancelled');
			count += this.#take(into.subarray(count));
			if (count === into.length || this.#isEnded) break;
			await new Promise<void>((resolve) => (this.#wake = resolve));
			this.#wake = undefined;
		}
		this.#onRead();
		return count;
	}

	async close(): Promise<void> {
		this.#isClosed = true;
		this.#pieces = [];
		this.#unread = 0;
		this.#wake?.();
	}

	#take(into: Float32Array): number {
		let count = 0;
		while (count < into.length) {
			const [piece] = this.#pieces;
			if (piece === undefined) break;
			const part = piece.subarray(0, into.length - count);
			into.set(part, count);
			count += part.length;
			if (part.length === piece.length) this.#pieces.shift();
			else this.#pieces[0] = piece.subarray(part.length);
		}
		this.#unread -= count;
		return count;
	}
}
