/** The transcription of one turn, which begins before the turn's audio is complete. */

import type { LiveText } from '../../core/live/live.js';

export interface TurnWork {
	/** Adds audio of the turn, in order. The caller must not modify the samples afterwards. */
	push(samples: Float32Array): void;
	/** Ends the turn's audio, whose last `silentSeconds` are silence. Then `completed` or `failed` is called once. */
	end(silentSeconds: number): void;
	/** The speech has paused and the turn may be over: audio pushed from now on is silence unless `resume` follows. */
	pause(): void;
	/** The speech continues; audio pushed since `pause` is part of it. */
	resume(): void;
	/** Cancels the transcription. Safe to call twice. */
	cancel(): void;
	/** Seconds of pushed audio that are not being processed yet. */
	readonly unreadSeconds: number;
}

/** Receives the results of a turn. No method is called before its causing call has returned, nor after `cancel`. */
export interface TurnListener {
	/** More of the text; published text is never retracted. */
	delta(text: string): void;
	/** A hypothesis of the whole text so far, to decide whether the turn is over. */
	partial(text: string): void;
	completed(text: LiveText): void;
	failed(thrown: unknown): void;
	/** Audio has been read: `unreadSeconds` has changed. */
	progressed(): void;
}
