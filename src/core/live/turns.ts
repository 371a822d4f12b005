/** Divides live audio into turns, by voice activity detection or by commits. Pure: takes positions, returns events. */

import { sampleRate } from '../speech/pcm.js';
import { minTurnSeconds, type TurnRules } from './live.js';

/** Result of voice activity detection so far. Positions are samples of the stream. */
export interface DetectedSpeech {
	/** Spans of speech that have ended since the last call, in order, not overlapping. */
	readonly spans: readonly { readonly start: number; readonly end: number }[];
	/** Start of the open span, which has not ended; null if there is none. */
	readonly openSince: number | null;
	/** The open span ends after this position. */
	readonly settled: number;
}

/** Positions are samples of the stream. */
export type TurnEvent =
	| { readonly type: 'started'; readonly turn: number; readonly at: number }
	| { readonly type: 'stopped'; readonly turn: number; readonly at: number }
	| {
			readonly type: 'ended';
			readonly turn: number;
			readonly from: number;
			readonly to: number;
			/** Samples of detected silence directly before `to`. */
			readonly silent: number;
			readonly commit?: number;
	  }
	| { readonly type: 'empty'; readonly commit: number; readonly why: 'short' | 'silent' }
	| { readonly type: 'cleared'; readonly clear: number; readonly turn?: number };

/** The turn that receives the current audio. */
export interface OpenTurn {
	readonly turn: number;
	readonly from: number;
	/** Whether a `started` event was emitted, which only voice activity detection does. */
	readonly announced: boolean;
}

/** Speech that continues after a commit starts a new turn once it is this long. */
const minSpeechSamples = 0.1 * sampleRate;

/** Detectors do not report a shorter silence. */
const minSilenceMs = 50;

/** Silence after which a turn is transcribed speculatively; most pauses within a sentence are shorter. */
const earlySilenceMs = 200;

const minTurnSamples = minTurnSeconds * sampleRate;

export class Turns {
	#rules: TurnRules | null;
	/** End of the audio so far. */
	#position = 0;
	/** End of the last turn; later turns begin at or after it. */
	#boundary = 0;
	#open: OpenTurn | undefined;
	/** End of the open turn's last span of speech; undefined during speech. */
	#pausedSince: number | undefined;
	#endsLikeSentence = false;
	/** Speech interrupted by a commit has not ended, and may become a turn. */
	#isUndecided = false;
	#next = 0;

	constructor(rules: TurnRules | null) {
		this.#rules = rules;
	}

	get open(): OpenTurn | undefined {
		return this.#open;
	}

	/** Whether the open turn's speech has paused, so that its text so far may be complete. */
	get isPaused(): boolean {
		return this.#pausedSince !== undefined;
	}

	/** Position before which audio is no longer needed. `latency`: detection delay of the start of speech, samples. */
	needed(latency: number): number {
		if (this.#open) return this.#open.from;
		if (this.#isUndecided) return this.#boundary;
		const padding = this.#rules === null ? 0 : samplesOf(this.#rules.prefixPaddingMs);
		return Math.max(this.#boundary, this.#position - padding - latency, 0);
	}

	/** Silence after which the detector reports the end of a span, milliseconds. It is shorter than the silence that ends
	 * a turn, so that the turn can be transcribed meanwhile. */
	static pauseMs({ silenceDurationMs, sentenceSilenceMs = earlySilenceMs }: TurnRules): number {
		return Math.max(Math.min(silenceDurationMs, sentenceSilenceMs), minSilenceMs);
	}

	/** Takes more audio, up to `position`. `speech`: detection result for all audio so far; absent without rules. */
	detect(position: number, speech?: DetectedSpeech): TurnEvent[] {
		this.#position = position;
		if (this.#rules === null || speech === undefined) {
			this.#open ??= this.#begun(this.#boundary, false);
			return [];
		}
		const events: TurnEvent[] = [];
		for (const { start, end } of speech.spans) {
			this.#speak(start, end > this.#boundary + minSpeechSamples, events);
			if (this.#open) this.#pause(end, events);
		}
		if (speech.openSince !== null) {
			this.#speak(speech.openSince, speech.settled > this.#boundary + minSpeechSamples, events);
		}
		this.#endAfterSilence(position, events);
		this.#isUndecided = speech.openSince !== null && this.#open === undefined;
		return events;
	}

	/** Takes the text of the open turn so far, which decides whether `sentenceSilenceMs` of silence end the turn. */
	read(text: string): void {
		if (this.#rules?.sentenceSilenceMs === undefined) return;
		this.#endsLikeSentence = /[.!?…。！？]["'”’»)\]]*\s*$/u.test(text);
	}

	commit(commit: number): TurnEvent[] {
		const open = this.#open;
		if (!open) return [{ type: 'empty', commit, why: this.#rules === null ? 'short' : 'silent' }];
		if (this.#position - open.from < minTurnSamples && !open.announced)
			return [{ type: 'empty', commit, why: 'short' }];
		return [this.#ended(open, this.#position, commit)];
	}

	clear(clear: number): TurnEvent[] {
		const open = this.#open;
		this.#close(this.#position);
		return [{ type: 'cleared', clear, ...(open && { turn: open.turn }) }];
	}

	/** Ends the audio. */
	end(): TurnEvent[] {
		const open = this.#open;
		if (!open) return [];
		if (!open.announced) {
			if (this.#position - open.from < minTurnSamples) return [];
			return [this.#ended(open, this.#position)];
		}
		return [{ type: 'stopped', turn: open.turn, at: this.#position }, this.#ended(open, this.#position)];
	}

	/** Changes the rules. An open turn continues, except one without detected speech when detection is turned on. */
	configure(rules: TurnRules | null): void {
		this.#rules = rules;
		// Another detector begins here, without having received any speech: if nothing more is said, the turn must still end.
		const isAnnounced = this.#open?.announced === true;
		this.#pausedSince = rules && isAnnounced ? (this.#pausedSince ?? this.#position) : undefined;
		if (rules === null || isAnnounced) return;
		// Audio from before detection was turned on counts as silence, so a turn that covers it is discarded.
		this.#open = undefined;
	}

	/** Speech since `start`. `continues`: the part after the last turn is long enough for a turn. */
	#speak(start: number, continues: boolean, events: TurnEvent[]): void {
		const resumedBefore = this.#pausedSince === undefined ? undefined : this.#pausedSince + this.#silence;
		if (resumedBefore !== undefined && start >= resumedBefore) this.#stop(resumedBefore, events);
		if (this.#open) {
			this.#pausedSince = undefined;
			this.#endsLikeSentence = false;
			return;
		}
		if (start < this.#boundary && !continues) return;
		const padding = this.#rules === null ? 0 : samplesOf(this.#rules.prefixPaddingMs);
		this.#open = this.#begun(Math.max(this.#boundary, start - padding), true);
		events.push({ type: 'started', turn: this.#open.turn, at: this.#open.from });
	}

	/** The speech of the open turn has paused at `end`; the detector reports this after its own minimum silence. */
	#pause(end: number, events: TurnEvent[]): void {
		this.#pausedSince = end;
		this.#endAfterSilence(end + this.#detectedAfter, events);
	}

	#endAfterSilence(until: number, events: TurnEvent[]): void {
		const since = this.#pausedSince;
		if (!this.#open || since === undefined) return;
		if (until - since >= this.#silence) this.#stop(since + this.#silence, events);
		else if (this.#endsLikeSentence && until - since >= this.#detectedAfter) this.#stop(until, events);
	}

	#stop(at: number, events: TurnEvent[]): void {
		const open = this.#open;
		if (!open) return;
		const to = Math.min(Math.max(at, open.from), this.#position);
		events.push({ type: 'stopped', turn: open.turn, at: to }, this.#ended(open, to));
	}

	#ended({ turn, from }: OpenTurn, to: number, commit?: number): TurnEvent {
		const silent = Math.max(to - (this.#pausedSince ?? to), 0);
		this.#close(to);
		return { type: 'ended', turn, from, to, silent, ...(commit !== undefined && { commit }) };
	}

	#begun(from: number, announced: boolean): OpenTurn {
		this.#endsLikeSentence = false;
		return { turn: this.#next++, from, announced };
	}

	#close(at: number): void {
		// The detector may report the same speech as continuing.
		this.#isUndecided = this.#rules !== null && this.#open?.announced === true;
		this.#open = undefined;
		this.#pausedSince = undefined;
		this.#endsLikeSentence = false;
		this.#boundary = at;
	}

	get #silence(): number {
		return samplesOf(Math.max(this.#rules?.silenceDurationMs ?? 0, minSilenceMs));
	}

	get #detectedAfter(): number {
		return this.#rules === null ? 0 : samplesOf(Turns.pauseMs(this.#rules));
	}
}

function samplesOf(ms: number): number {
	return Math.round((ms * sampleRate) / 1000);
}
