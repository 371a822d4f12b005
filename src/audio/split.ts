/** Splits a recording into clips as it arrives. Pure: takes VAD segments, returns the ranges that are final. */

import { levelFrameSeconds } from '../core/speech/pcm.js';
import { SpeechBreaks } from './speech-breaks.js';
import type { Span, VadSegments } from './speech-spans.js';

export interface SplitRules {
	readonly maxClipSeconds: number;
	/** Spans separated by at most this are merged into one clip while it fits. */
	readonly mergeGapSeconds: number;
	/** Audio kept before and after the speech of a clip. */
	readonly paddingSeconds: number;
	/** Times that no clip may span, seconds of the recording, in order; absent = none. */
	readonly breaks?: readonly number[];
}

/**
 * Level of a frame of `levelFrameSeconds`, counted from the start of the recording; any monotonic measure will
 * do. Called only for frames before `settled` and not before `needed`.
 */
export type LevelOf = (frame: number) => number;

/** A span too long for one clip is cut at the quietest place in this last share of the clip's maximum length. */
const cutWindowShare = 0.4;

/** Tolerance for rounding in the sums below. */
const slackSeconds = 0.001;

/** A clip that may still grow. */
interface OpenClip extends Span {
	/** Breaks before it. */
	readonly breaks: number;
}

/** The last span of speech, which may still change. */
interface Latest {
	/** With padding. */
	readonly start: number;
	/** Without padding. */
	readonly speechStart: number;
	/** Without padding; null while it has not ended. */
	readonly end: number | null;
}

/**
 * Turns speech spans (in order, not overlapping) into clip ranges: padded, merged across short gaps, none longer
 * than `maxClipSeconds`, in order, not overlapping, and covering every span. A range is returned as soon as later
 * input cannot change it, and depends on the recording alone, not on how it was divided into calls.
 */
export class ClipSplitter {
	readonly #rules: SplitRules;
	readonly #levelOf: LevelOf;
	readonly #breaks: SpeechBreaks;
	readonly #ready: Span[] = [];
	/** The clip that the next spans may still be merged into. */
	#clip: OpenClip | undefined;
	#latest: Latest | undefined;
	/** End of the clips already cut off from the latest span. */
	#cutUntil: number | undefined;
	#settled = 0;

	constructor(rules: SplitRules, levelOf: LevelOf) {
		this.#rules = rules;
		this.#levelOf = levelOf;
		this.#breaks = new SpeechBreaks(rules.breaks ?? []);
	}

	/** Samples before this time, in seconds, are no longer needed, neither for clips nor for levels. */
	get needed(): number {
		const next = Math.max(0, this.#settled - this.#rules.paddingSeconds);
		return Math.min(this.#clip?.start ?? next, this.#cutUntil ?? this.#latest?.start ?? next);
	}

	/** Takes the next VAD segments and returns the ranges that are final now. */
	push(segments: VadSegments): Span[] {
		const { spans, openSince, settled } = this.#breaks.cut(segments);
		for (const { start, end } of spans) this.#begin(start, end);
		if (openSince !== null) this.#begin(openSince, null);
		this.#settled = settled;
		this.#settle();
		return this.#ready.splice(0);
	}

	/** Returns the remaining ranges when the recording has ended. */
	finish(duration: number): Span[] {
		if (this.#latest) {
			const end = this.#latest.end ?? duration;
			this.#complete(this.#latest, Math.min(end + this.#rules.paddingSeconds, duration));
		}
		this.#release();
		return this.#ready.splice(0);
	}

	/** Takes a span as known so far: a new span, or the continuation of the open one. */
	#begin(start: number, end: number | null): void {
		const { paddingSeconds } = this.#rules;
		const before = this.#latest;
		if (before?.end === null) {
			this.#latest = { ...before, end };
			return;
		}
		let earliest = 0;
		if (before) {
			// Where the padding of two spans would overlap, they meet halfway.
			earliest = (before.end + start) / 2;
			this.#complete(before, Math.min(before.end + paddingSeconds, earliest));
		}
		this.#latest = { start: Math.max(start - paddingSeconds, earliest), speechStart: start, end };
	}

	/** The latest span is final. `end`: with padding. */
	#complete({ start, speechStart, end: speechEnd }: Latest, end: number): void {
		const { mergeGapSeconds, maxClipSeconds } = this.#rules;
		const from = this.#cutUntil;
		const into = this.#clip;
		const breaks = this.#breaks.before({ start: speechStart, end: speechEnd ?? end });
		this.#latest = undefined;
		this.#cutUntil = undefined;
		if (from !== undefined) {
			this.#ready.push({ start: this.#cut(from, end), end });
		} else if (
			into?.breaks === breaks &&
			start - into.end <= mergeGapSeconds &&
			end - into.start <= maxClipSeconds
		) {
			this.#clip = { start: into.start, end, breaks };
		} else {
			this.#release();
			this.#clip = { start, end, breaks };
		}
	}

	/** Completes and releases everything that later input cannot change. */
	#settle(): void {
		const { paddingSeconds, mergeGapSeconds, maxClipSeconds } = this.#rules;
		const { end } = this.#latest ?? {};
		if (this.#latest && typeof end === 'number' && this.#settled > end + 2 * paddingSeconds + slackSeconds) {
			this.#complete(this.#latest, end + paddingSeconds);
		}
		const latest = this.#latest;
		const start = latest?.start ?? this.#settled - paddingSeconds;
		const reach = Math.max(start, latest?.end ?? (latest ? this.#settled : start));
		const clip = this.#clip;
		if (clip && (start - clip.end > mergeGapSeconds || reach - clip.start > maxClipSeconds)) this.#release();
		if (!latest || this.#clip) return;
		const from = this.#cutUntil ?? latest.start;
		const until = this.#cut(from, reach);
		if (until > from) this.#cutUntil = until;
	}

	#release(): void {
		const clip = this.#clip;
		this.#clip = undefined;
		if (clip) this.#ready.push({ start: this.#cut(clip.start, clip.end), end: clip.end });
	}

	/** Cuts clips off the range `from` to `reach` until the rest fits into one clip; returns the start of the rest. */
	#cut(from: number, reach: number): number {
		const { maxClipSeconds } = this.#rules;
		let start = from;
		while (reach - start > maxClipSeconds) {
			const latest = start + maxClipSeconds;
			const at = this.#quietest(latest - maxClipSeconds * cutWindowShare, latest);
			this.#ready.push({ start, end: at });
			start = at;
		}
		return start;
	}

	/** The quietest moment after `from` and not after `to`; the latest of equals, since longer clips carry more context. */
	#quietest(from: number, to: number): number {
		let best = to;
		let lowest = Number.POSITIVE_INFINITY;
		const last = Math.floor(to / levelFrameSeconds) - 1;
		for (let frame = Math.ceil(from / levelFrameSeconds); frame <= last; frame++) {
			const level = this.#levelOf(frame);
			if (level > lowest) continue;
			lowest = level;
			best = (frame + 0.5) * levelFrameSeconds;
		}
		return best;
	}
}
