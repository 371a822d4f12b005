/** The transcription of one turn, while its audio still comes. */

import type { LiveText } from '../../live/live.js';

export interface TurnWork {
	/** More of the turn's audio, in order. The samples stay as they are. */
	push(samples: Float32Array): void;
	/** The turn's audio is complete, and ends with so much silence. `completed` gets its text or `failed` its error, once. */
	end(silentSeconds: number): void;
	/** The speech has paused, perhaps for good: what is pushed now is silence, unless `resume` follows. */
	pause(): void;
	/** It goes on, with what was pushed since. */
	resume(): void;
	/** Nothing of it is wanted any more. Safe to call twice. */
	cancel(): void;
	/** Seconds of audio that it has not begun to work on. */
	readonly unreadSeconds: number;
}

/** What a turn tells. None is called before the call that caused it has returned, nor after `cancel`. */
export interface TurnListener {
	/** More of the text. */
	delta(text: string): void;
	/** A guess at all of the text so far, for deciding whether the turn is over. */
	guess(text: string): void;
	completed(text: LiveText): void;
	failed(thrown: unknown): void;
	/** It has taken in audio. */
	progressed(): void;
}
